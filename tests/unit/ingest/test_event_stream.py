"""Export requests are sampled, weighed and observed."""

import math

import pytest

from opsmith.ingest import otlp, sampling
from opsmith.ingest.event_stream import EventStream
from opsmith.ingest.thinning import Step, Thinning, ThinningRules


def stream(share: float = 1.0, *, chance: float = 0.0, **more: tuple[str, ...]) -> EventStream:
    rules = ThinningRules(steps=(Step(up_to=math.inf, share=share),))
    return EventStream(thinning=Thinning(rules), rows=[], chance=lambda: chance, **more)


def pair(key: str, value: str) -> dict[str, object]:
    return {"key": key, "value": {"stringValue": value}}


def span(trace: str = "ab", **more: object) -> dict[str, object]:
    return {
        "traceId": trace,
        "spanId": "01",
        "name": "GET /",
        "kind": 2,
        "startTimeUnixNano": "1000000000",
        "endTimeUnixNano": "1250000000",
        **more,
    }


def spans(*told: object) -> dict[str, object]:
    resource = {"attributes": [pair("service.name", "cart")]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(told)}]}]}


def logs(*told: object) -> dict[str, object]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(told)}]}]}


def kept(request: object, *path: str) -> list[dict[str, object]]:
    for key in path:
        assert isinstance(request, dict)
        request = request[key][0] if key != path[-1] else request[key]
    assert isinstance(request, list)
    return request


def test_a_span_becomes_an_observation_with_the_usual_labels() -> None:
    one = stream()

    assert one.spans(spans(span()), now_s=0.0) == spans(span())

    ((labels, value, weight),) = one.taken()
    assert dict(labels) == {
        "__name__": "traces_spanmetrics_latency",
        "service": "cart",
        "span_name": "GET /",
        "span_kind": "SERVER",
        "status_code": "UNSET",
    }
    assert (value, weight) == (0.25, 1.0)
    assert one.taken() == []


@pytest.mark.parametrize(
    ("more", "label", "told"),
    [
        ({"status": {"code": 2}}, "status_code", "ERROR"),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, "status_code", "ERROR"),
        ({"kind": "SPAN_KIND_CLIENT"}, "span_kind", "CLIENT"),
        ({"kind": 99}, "span_kind", "UNSPECIFIED"),
        ({"kind": True}, "span_kind", "UNSPECIFIED"),
        ({"name": 7}, "span_name", ""),
    ],
)
def test_spans_of_strangers_are_read_as_far_as_they_go(
    more: dict[str, object], label: str, told: str
) -> None:
    one = stream()
    one.spans(spans(span(**more)), now_s=0.0)

    assert dict(one.rows[0][0])[label] == told


def test_a_kept_span_says_how_many_it_stands_for() -> None:
    one = stream(0.5)
    before = [pair("sampling.probability", "0.25"), pair("http.route", "/")]

    # The hash of this trace is below one half.
    (event,) = kept(
        one.spans(spans(span("t2", attributes=before)), now_s=0.0),
        "resourceSpans",
        "scopeSpans",
        "spans",
    )

    told = otlp.attributes(event["attributes"])
    assert told["http.route"] == "/"
    assert sampling.weight(told, {}, "") == 8.0
    assert one.rows[0][2] == 8.0


def test_the_spans_of_one_trace_are_kept_or_left_out_together() -> None:
    one = stream(0.5)
    told = [span(f"t{number % 50}", spanId=f"{number:02x}") for number in range(200)]

    left = kept(one.spans(spans(*told), now_s=0.0), "resourceSpans", "scopeSpans", "spans")

    traces = {event["traceId"] for event in left}
    assert len(left) == 4 * len(traces)
    assert 10 < len(traces) < 40


def test_a_request_without_anything_kept_is_nothing() -> None:
    assert stream(0.5, chance=0.9).logs(logs({"body": {"stringValue": "x"}}), now_s=0.0) is None
    assert stream().spans({}, now_s=0.0) is None
    assert stream().spans({"resourceSpans": [7, {"scopeSpans": 8}]}, now_s=0.0) is None


@pytest.mark.parametrize(
    ("record", "level"),
    [
        ({"severityNumber": 17}, "ERROR"),
        ({"severityNumber": "SEVERITY_NUMBER_WARN2"}, "WARN"),
        ({"severityText": "info"}, "INFO"),
        ({"severityNumber": 99}, "UNSET"),
        ({}, "UNSET"),
    ],
)
def test_log_records_are_counted_by_level(record: dict[str, object], level: str) -> None:
    one = stream()
    one.logs(logs(record), now_s=0.0)

    assert one.rows == [
        ((("__name__", "log_records"), ("service", "unknown"), ("level", level)), 1.0, 1.0)
    ]


def test_chosen_attributes_become_labels() -> None:
    one = stream(dimensions=("http.route", "tenant"))
    one.spans(spans(span(attributes=[pair("http.route", "/cart")])), now_s=0.0)

    assert dict(one.rows[0][0])["http.route"] == "/cart"
