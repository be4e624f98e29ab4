"""OTLP over HTTP: export requests in protobuf or JSON become the OTLP/JSON that bundles keep.

Source: OpenTelemetry protocol specification 1.x, sections OTLP/HTTP and JSON Protobuf encoding.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable

import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from opsmith.errors import BadInput
from opsmith.ingest.json_door import fields

PROTOBUF = "application/x-protobuf"
# What a packed request may grow to; the largest that exporters send is 4 MiB by default.
LARGEST_UNPACKED = 64 * 1024 * 1024
# Ids are bytes, which protobuf's JSON writes in base64 and OTLP's in hex.
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})


def trace_request(body: bytes, *, media_type: str, encoding: str) -> dict[str, object]:
    """One `ExportTraceServiceRequest` as OTLP/JSON has it.

    encoding: the request's Content-Encoding, `gzip` or nothing.
    Raises `BadInput` when the body is not what the type says.
    """
    plain = _unpacked(body, encoding)
    return _request(plain, media_type, ExportTraceServiceRequest, "resourceSpans")


def log_request(body: bytes, *, media_type: str, encoding: str) -> dict[str, object]:
    """One `ExportLogsServiceRequest` as OTLP/JSON has it; see `trace_request`."""
    return _request(
        _unpacked(body, encoding), media_type, ExportLogsServiceRequest, "resourceLogs"
    )


def _request(
    body: bytes,
    media_type: str,
    request: Callable[[], ExportTraceServiceRequest | ExportLogsServiceRequest],
    key: str,
) -> dict[str, object]:
    if media_type.partition(";")[0].strip().lower() == PROTOBUF:
        message = request()
        try:
            message.ParseFromString(body)
        except DecodeError as error:
            raise BadInput("The export request is no protobuf of OTLP.") from error
        return dict(fields(_with_hex_ids(MessageToDict(message))))
    try:
        told = fields(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise BadInput(f"The export request is not JSON: {error.msg}.") from error
    if not isinstance(told.get(key, []), list):
        raise BadInput(f"The export request holds no list {key}.")
    return dict(told)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding not in ("", "identity", "gzip"):
        raise BadInput(f"Content-Encoding {encoding[:40]!r} is not read; send gzip or nothing.")
    if encoding != "gzip":
        return body
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(body, LARGEST_UNPACKED)
    except zlib.error as error:
        raise BadInput("The export request is no gzip.") from error
    if unpacker.unconsumed_tail:
        raise BadInput(f"The export request unpacks to more than {LARGEST_UNPACKED} bytes.")
    return plain


def _with_hex_ids(value: object) -> object:
    if isinstance(value, list):
        return [_with_hex_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(one).hex()
        if key in _IDS and isinstance(one, str)
        else _with_hex_ids(one)
        for key, one in fields(value).items()
    }
