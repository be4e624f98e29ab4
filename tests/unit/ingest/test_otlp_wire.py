import gzip

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from opsmith.errors import BadInput
from opsmith.ingest import otlp_wire
from opsmith.ingest.otlp_wire import PROTOBUF, log_request, trace_request


def request() -> bytes:
    message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = bytes(range(16)), bytes(range(8))
    span.name, span.start_time_unix_nano = "GET /cart", 1_700_000_000_000_000_000
    return message.SerializeToString()


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_protobuf_becomes_the_json_of_otlp(encoding: str) -> None:
    body = gzip.compress(request()) if encoding else request()

    told = trace_request(body, media_type=PROTOBUF, encoding=encoding)

    (span,) = told["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["traceId"] == "000102030405060708090a0b0c0d0e0f"
    assert span["startTimeUnixNano"] == "1700000000000000000"


def test_json_stays_what_it_is() -> None:
    body = b'{\n "resourceLogs": [] }'

    assert log_request(body, media_type="application/json; charset=utf-8", encoding="") == {
        "resourceLogs": []
    }


def test_logs_in_protobuf_are_read_too() -> None:
    body = ExportLogsServiceRequest().SerializeToString()

    assert log_request(body, media_type=PROTOBUF, encoding="identity") == {}


@pytest.mark.parametrize(
    ("body", "media_type", "encoding"),
    [
        (b"\xff\xff", PROTOBUF, ""),
        (b"{", "application/json", ""),
        (b'{"resourceSpans": 1}', "application/json", ""),
        (b"{}", "application/json", "br"),
        (b"{}", "application/json", "gzip"),
    ],
)
def test_what_is_no_export_request_is_refused(body: bytes, media_type: str, encoding: str) -> None:
    with pytest.raises(BadInput):
        trace_request(body, media_type=media_type, encoding=encoding)


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_wire, "LARGEST_UNPACKED", 1000)

    with pytest.raises(BadInput, match="unpacks"):
        trace_request(gzip.compress(b" " * 2000), media_type="application/json", encoding="gzip")
