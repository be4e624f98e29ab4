"""Traces in OTLP/JSON."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.ingest import otlp, otlp_traces, topology
from opsmith.ingest.attribute_sets import MOST_VALUES_OF_A_KEY
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import SIDES, SpanSide
from tests.builders.otlp import T0, attributes, span, traces, written


def read(tmp_path: Path, *requests: dict[str, object]) -> tuple[otlp_traces.Traces, list[str]]:
    losses = Losses()
    found = otlp_traces.read(written(tmp_path / "traces.jsonl", *requests), Naming(), losses)
    assert found is not None
    return found, [lost.what for lost in losses.missing()]


def told(found: otlp_traces.Traces, row: int) -> dict[str, str]:
    return dict(found.spans.attribute_sets[found.spans.attributes[row]])


def test_spans_become_columns_with_their_parents(tmp_path: Path) -> None:
    found, lost = read(
        tmp_path,
        traces("cart", span(1, 2, 1, at=1.0, s=0.25, kind=2)),
        traces("web", span(1, 1, at=0.5, s=1.0, kind=3), span(2, 1, at=9.0, kind=1)),
    )

    spans = found.spans
    assert lost == []
    assert [str(entity) for entity in spans.entities] == ["service:cart", "service:web"]
    assert spans.entity.tolist() == [0, 1, 1]
    assert spans.parent.tolist() == [1, -1, -1]
    assert spans.trace.tolist() == [0, 0, 1]
    assert spans.start_s.tolist() == [T0 + 1.0, T0 + 0.5, T0 + 9.0]
    assert spans.duration_s[:2].tolist() == [0.25, 1.0]
    assert [SIDES[side] for side in spans.side] == [
        SpanSide.SERVER,
        SpanSide.CLIENT,
        SpanSide.INTERNAL,
    ]
    assert [spans.operations[number] for number in spans.operation] == ["op-2", "op-1", "op-1"]
    assert found.rows[f"{1:032x}", f"{1:016x}"] == 1


def test_integers_may_be_numbers_and_kinds_may_be_names(tmp_path: Path) -> None:
    one = span(1, 1, kind="SPAN_KIND_PRODUCER", startTimeUnixNano=T0 * 10**9)
    two = span(1, 2, 1, kind="SPAN_KIND_CONSUMER", status={"code": "STATUS_CODE_ERROR"})

    found, _ = read(tmp_path, traces("a", one, two))

    assert found.spans.start_s[0] == T0
    assert [SIDES[side] for side in found.spans.side] == [SpanSide.CLIENT, SpanSide.SERVER]
    assert found.spans.failed.tolist() == [False, True]


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({"status": {"code": 2}}, True),
        ({"status": {"code": 1}}, False),
        ({"attributes": attributes(http__response__status_code=503)}, True),
        ({"attributes": attributes(http__status_code="500")}, True),
        ({"attributes": attributes(http__status_code=404)}, False),
        ({"attributes": attributes(rpc__grpc__status_code=14)}, True),
        ({"attributes": attributes(rpc__grpc__status_code=5)}, False),
        ({"status": None}, False),
    ],
)
def test_a_span_fails_by_its_status_or_by_that_of_its_protocol(
    tmp_path: Path, more: dict[str, object], *, failed: bool
) -> None:
    found, _ = read(tmp_path, traces("a", span(1, 1, **more)))

    assert found.spans.failed.tolist() == [failed]


@pytest.mark.parametrize(
    ("told", "callee"),
    [
        (attributes(db__system="postgresql", db__name="orders"), "database:orders"),
        (
            attributes(db__system__name="mysql", server__address="db1", server__port=3306),
            "database:db1",
        ),
        (
            attributes(db__system="mysql", net__peer__name="10.0.0.5", net__peer__port=3306),
            "database:10.0.0.5:3306",
        ),
        (attributes(db__system="mysql"), "database:mysql"),
        (attributes(db__system="redis", db__name="0", peer__service="sessions"), "cache:sessions"),
        (
            attributes(messaging__system="nats", messaging__destination__name="orders"),
            "queue:orders",
        ),
        (attributes(messaging__system="kafka"), "queue:kafka"),
        (attributes(peer__service="billing"), "service:billing"),
    ],
)
def test_a_client_span_names_its_callee(
    tmp_path: Path, told: list[dict[str, object]], callee: str
) -> None:
    found, _ = read(tmp_path, traces("a", span(1, 1, kind=3, attributes=told)))

    assert found.calls == {(Entity.service("a"), Entity.parse(callee))}
    assert ("callee", callee) in found.spans.attribute_sets[found.spans.attributes[0]]


def test_a_queue_calls_its_consumer(tmp_path: Path) -> None:
    told = attributes(messaging__system="nats", messaging__destination__name="orders")

    found, _ = read(tmp_path, traces("worker", span(1, 1, kind=5, attributes=told)))

    assert found.calls == {(Entity.parse("queue:orders"), Entity.service("worker"))}


def test_a_server_span_names_no_callee(tmp_path: Path) -> None:
    found, _ = read(tmp_path, traces("a", span(1, 1, attributes=attributes(peer__service="b"))))

    assert found.calls == frozenset()


def test_attributes_that_name_single_requests_are_left_out(tmp_path: Path) -> None:
    spans = [
        span(n, 1, attributes=attributes(request__id=f"r{n}", db__pool__exhausted=n % 2 == 0))
        for n in range(1, MOST_VALUES_OF_A_KEY + 10)
    ]

    found, _ = read(tmp_path, traces("a", *spans, service__version="1.2"))

    assert told(found, 0) == {"db.pool.exhausted": "false", "service.version": "1.2"}
    assert len(found.spans.attribute_sets) == 3


def test_secrets_in_attributes_are_hidden(tmp_path: Path) -> None:
    sent = attributes(url__full="https://ann:hunter2@shop/", set__cookie="hunter2")

    found, _ = read(tmp_path, traces("a", span(1, 1, attributes=sent)))

    assert "hunter2" not in str(found.spans.attribute_sets)


def test_the_exception_of_an_event_becomes_an_attribute(tmp_path: Path) -> None:
    event = {"name": "exception", "attributes": attributes(exception__type="TimeoutError")}

    found, _ = read(tmp_path, traces("a", span(1, 1, events=[{"name": "x"}, event])))

    assert told(found, 0) == {"exception.type": "TimeoutError"}


def test_damaged_spans_are_told_and_the_rest_is_used(tmp_path: Path) -> None:
    found, lost = read(
        tmp_path,
        traces("a", span(1, 1), span(1, 1), span(1, 3, 99), span(1, 4, 4), span(0, 5, traceId="")),
        traces("", span(2, 1)),
        traces(
            "a",
            span(3, 1, s=-1.0),
            span(3, 2, endTimeUnixNano="0"),
            span(3, 3, startTimeUnixNano="x"),
        ),
        {"resourceLogs": []},
        {"resourceSpans": [7, {"scopeSpans": [{"spans": [7]}]}]},
    )

    assert found.spans.parent.tolist() == [-1, -1, -1, -1, -1]
    assert [math.isnan(value) for value in found.spans.duration_s[3:]] == [True, True]
    text = "\n".join(lost)
    assert 'traces.jsonl:4: no "resourceSpans"' in text
    assert "whose parent was not recorded" in text
    assert "seen twice" in text
    assert "a span of nobody: no service.name. (2 times)" in text
    assert "without ids or start; dropped. (2 times)" in text
    assert "ends before it starts" in text


def test_a_malformed_line_is_named_and_the_rest_is_used(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text('{"resourceSpans": [\n[]\n\n' + json.dumps(traces("a", span(1, 1))))
    losses = Losses()

    found = otlp_traces.read(path, Naming(), losses)

    assert found is not None
    assert found.spans.start_s.size == 1
    lost = [missing.what for missing in losses.missing()]
    assert lost[0].startswith("traces.jsonl:1: not JSON")
    assert lost[1].startswith("traces.jsonl:2: not a JSON object")


def test_a_file_without_spans_is_none(tmp_path: Path) -> None:
    path = written(tmp_path / "traces.jsonl", {"resourceSpans": []})

    assert otlp_traces.read(path, Naming(), Losses()) is None


def test_spans_that_are_their_own_ancestors_become_roots(tmp_path: Path) -> None:
    found, lost = read(
        tmp_path, traces("a", span(1, 1, 3), span(1, 2, 1), span(1, 3, 2), span(1, 4))
    )

    assert found.spans.parent.tolist() == [-1, -1, -1, -1]
    assert "among its own ancestors" in lost[0]


@given(st.lists(st.integers(-1, 14), min_size=1, max_size=15))
def test_circles_are_those_that_a_walk_finds(parents: list[int]) -> None:
    parent = np.array([-1 if above >= len(parents) else above for above in parents])

    found = otlp_traces.in_circles(parent).tolist()

    assert found == [walks_forever(parent.tolist(), row) for row in range(len(parents))]


def walks_forever(parent: list[int], row: int) -> bool:
    for _ in range(len(parent) + 1):
        row = parent[row]
        if row < 0:
            return False
    return True


@pytest.mark.parametrize(
    ("resource", "owner"),
    [
        ({"k8s.deployment.name": "cart"}, "service:cart"),
        ({"k8s.pod.name": "cart-1"}, "instance:cart-1"),
        ({"host.name": "h1"}, "host:h1"),
        ({"service.name": "cart", "host.name": "h1"}, "service:cart"),
    ],
)
def test_the_resource_tells_who_sent_it(resource: dict[str, str], owner: str) -> None:
    found = otlp.owner(resource, Naming())

    assert found is not None
    assert str(found[0]) == owner


def test_values_of_all_kinds_become_text() -> None:
    nested: dict[str, object] = {"stringValue": "x"}
    for _ in range(2000):
        nested = {"arrayValue": {"values": [nested]}}

    assert otlp.plain({"doubleValue": 0.5}) == "0.5"
    assert (
        otlp.plain({"kvlistValue": {"values": [{"key": "a", "value": {"intValue": 1}}]}}) == "a=1"
    )
    assert otlp.plain(nested) == ""
    assert otlp.plain({"stringValue": "y" * 999}) == "y" * otlp.LONGEST_VALUE
    assert otlp.plain({}) == otlp.plain(None) == ""


@pytest.mark.parametrize(
    ("value", "number"),
    [("12", 12), (12, 12), (12.0, 12), (1e300, None), ("x", None), (None, None)],
)
def test_64_bit_integers_are_strings_or_numbers(value: object, number: int | None) -> None:
    assert otlp.integer(value) == number


def test_edges_are_learned_from_spans_and_callees(tmp_path: Path) -> None:
    found, _ = read(
        tmp_path,
        traces("web", span(1, 1)),
        traces("cart", span(1, 2, 1), service__instance__id="c-1"),
        traces("cart", span(1, 3, 2), service__instance__id="c-2"),
    )

    edges = topology.from_spans(found.spans, found.calls, found.instances)

    assert [(str(edge.source), edge.kind.value, str(edge.target)) for edge in edges] == [
        ("service:web", "calls", "service:cart"),
        ("instance:c-1", "instance_of", "service:cart"),
        ("instance:c-2", "instance_of", "service:cart"),
    ]
    assert {edge.origin for edge in edges} == {"traces"}
