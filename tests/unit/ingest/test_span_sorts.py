"""Sorts of spans and heads of log lines: what is kept of repetitions changes nothing."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsmith.ingest import bundle, otlp, otlp_traces
from opsmith.ingest.attribute_sets import MOST_VALUES_OF_A_KEY
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.signals import Logs, Spans
from tests.builders.otlp import attributes, span, traces, written

EXAMPLE = Path(__file__).parents[3] / "examples" / "incidents" / "slow-dependency"
TOLD = st.dictionaries(
    st.sampled_from(["db.system", "peer.service", "http.status_code", "messaging.system", "n"]),
    st.sampled_from(["redis", "503", "b", "200", "7"]),
    max_size=3,
)
ODD = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from([1, 2, 3, "SPAN_KIND_CONSUMER", [], None]),
        "status": st.sampled_from([{"code": 2}, {"code": []}, "no"]),
        "traceState": st.sampled_from(["ot=th:c", "ot=p:2", 7]),
        "name": st.sampled_from(["pay", 3, None]),
        "events": st.sampled_from(
            [[{"name": "exception", "attributes": attributes(exception__type="E")}], "no"]
        ),
    },
)


def test_a_recording_is_read_as_if_nothing_were_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = bundle.read(EXAMPLE)
    _keep_nothing(monkeypatch)
    plain = bundle.read(EXAMPLE)

    assert fast.spans is not None
    assert fast.logs is not None
    _assert_same(fast.spans, plain.spans)
    _assert_same(fast.logs, plain.logs)
    assert fast.topology == plain.topology
    assert fast.missing == plain.missing


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), TOLD, ODD), min_size=1, max_size=12))
def test_odd_spans_are_read_as_if_nothing_were_kept(
    tmp_path: Path, told: list[tuple[str, dict[str, str], dict[str, object]]]
) -> None:
    requests = [
        traces(owner, {**span(1, number, attributes=attributes(**said)), **odd})
        for number, (owner, said, odd) in enumerate(told, 1)
    ]
    path = written(tmp_path / "traces.jsonl", *requests)

    _assert_read_alike(path)


def test_a_key_that_becomes_crowded_leaves_the_same_sets(tmp_path: Path) -> None:
    told = [str(number % (MOST_VALUES_OF_A_KEY + 9)) for number in range(200)]
    spans = [span(1, n, attributes=attributes(user=user)) for n, user in enumerate(told, 1)]

    _assert_read_alike(written(tmp_path / "traces.jsonl", traces("a", *spans)))


def test_attributes_nested_beyond_what_is_kept_are_read(tmp_path: Path) -> None:
    deep: object = {"stringValue": "x"}
    for _ in range(200):
        deep = {"arrayValue": {"values": [deep]}}
    one = span(1, 1, attributes=[{"key": "deep", "value": deep}])

    assert otlp.digest(one) is None
    _assert_read_alike(written(tmp_path / "traces.jsonl", traces("a", one)))


def _assert_read_alike(path: Path) -> None:
    fast_losses, plain_losses = Losses(), Losses()
    fast = otlp_traces.read(path, Naming(), fast_losses)
    with pytest.MonkeyPatch.context() as patch:
        _keep_nothing(patch)
        plain = otlp_traces.read(path, Naming(), plain_losses)
    assert fast is not None
    assert plain is not None
    _assert_same(fast.spans, plain.spans)
    assert (fast.calls, fast.instances, fast.rows) == (plain.calls, plain.instances, plain.rows)
    assert fast_losses.missing() == plain_losses.missing()


def _keep_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(otlp, "digest", lambda _: None)


def _assert_same(fast: Spans | Logs, plain: Spans | Logs | None) -> None:
    for one in fields(fast):
        got, expected = getattr(fast, one.name), getattr(plain, one.name)
        if isinstance(got, np.ndarray):
            np.testing.assert_array_equal(got, expected)
            assert got.dtype == expected.dtype
        else:
            assert got == expected, one.name
