"""Recorded metrics: the selector is read as PromQL reads it, and nothing else is."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from opsmith.backends.metrics import selector
from opsmith.backends.metrics.recorded import RecordedMetrics
from opsmith.errors import BadInput
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def series(values: list[float], **labels: str) -> Series:
    return Series(
        name="m",
        labels=tuple(sorted(labels.items())),
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.COUNT,
        kind=MetricKind.GAUGE,
        times_s=BEGIN.timestamp() + 60.0 * np.arange(len(values)),
        values=np.array(values),
    )


async def test_a_gap_ends_what_a_sample_says() -> None:
    metrics = RecordedMetrics([series([1.0, float("nan"), 3.0]), series([])])

    (found,) = await metrics.query_range(
        "m", start=BEGIN, end=BEGIN + timedelta(minutes=2), step=timedelta(minutes=1)
    )

    assert found.values.tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    "query",
    [
        "topk(1, m)",
        "rate(m)",
        "m @ 0",
        "m[5m:1m]",
        "m * on (a) group_left m",
        "label_replace(m, 'a', '', '', '')",
        "sum(m",
        "m)",
        "(" * 60 + "m" + ")" * 60,
        "m ~ 2",
        "",
        'm{a="1" b="2"}',
        "m{" + ",".join(f'a{n}="1"' for n in range(99)) + "}",
        "m" * 5000,
    ],
)
async def test_other_promql_is_refused(query: str) -> None:
    with pytest.raises(BadInput):
        await RecordedMetrics([series([1.0])]).query(query, at=BEGIN)


async def test_the_refusal_says_what_to_do() -> None:
    with pytest.raises(BadInput, match="give the address of a Prometheus server"):
        await RecordedMetrics([]).query("topk(3, m)", at=BEGIN)


async def test_a_pattern_that_would_stall_a_backtracking_matcher_does_not() -> None:
    metrics = RecordedMetrics([series([1.0], a="a" * 5000)])

    assert await metrics.query('m{a=~"(a|a)*b"}', at=BEGIN) == ()
    assert await metrics.query('m{a=~"(a+)+$x"}', at=BEGIN) == ()


async def test_the_dot_of_a_pattern_fits_a_line_end() -> None:
    metrics = RecordedMetrics([series([1.0], a="x\ny")])

    assert len(await metrics.query('m{a=~"x.y"}', at=BEGIN)) == 1


def test_matchers_are_parsed_with_all_kinds_of_quotes() -> None:
    found = selector.parse('m{a="1\\t", b!=\'2\', c=~`3\\d`, "d.e"!~"4" , }')

    assert [(one.label, one.operator, one.value) for one in found] == [
        ("__name__", "=", "m"),
        ("a", "=", "1\t"),
        ("b", "!=", "2"),
        ("c", "=~", "3\\d"),
        ("d.e", "!~", "4"),
    ]
