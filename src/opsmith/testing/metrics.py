"""What every backend of the metrics seam promises; each check is given a store of `RECORDING`.

For a backend of your own: load `RECORDING` (OpenMetrics text) into the store, open it, and call
each of `CHECKS` with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from opsmith.errors import BadInput
from opsmith.nouns.series import Series
from opsmith.seams.metrics import Metrics

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=30)
SAMPLES = 21

Check = Callable[[Metrics], Awaitable[None]]


def _recording() -> str:
    """Ten minutes of three series: a gauge, a counter, and one that ends after a minute."""
    rows = {
        'shop_depth{service="cart",zone="eu-1"}': [(n, n) for n in range(SAMPLES)],
        'shop_depth{service="pay",zone="us \\"2\\"\\\\x"}': [(n, 100 - n) for n in range(SAMPLES)],
        'shop_orders_total{service="cart"}': [(n, 10 * n) for n in range(SAMPLES)],
        'shop_orders_total{service="gone"}': [(n, n) for n in range(3)],
    }
    begin, step = int(BEGIN.timestamp()), int(STEP.total_seconds())
    lines = ["# TYPE shop_depth gauge"]
    families = ("shop_depth", "shop_orders_total")
    for family in families:
        if family.endswith("_total"):
            lines.append("# TYPE shop_orders counter")
        lines.extend(
            f"{key} {value} {begin + step * n}"
            for key, points in rows.items()
            if key.startswith(family)
            for n, value in points
        )
    return "\n".join([*lines, "# EOF", ""])


RECORDING = _recording()


async def check_a_query_gives_the_last_sample_before_its_time(metrics: Metrics) -> None:
    found = await metrics.query('shop_depth{service="cart"}', at=_at(3, seconds=20))

    assert [series.values.tolist() for series in found] == [[3.0]]


async def check_a_range_selector_gives_the_samples_as_they_were_scraped(
    metrics: Metrics,
) -> None:
    (series,) = await metrics.query('shop_depth{service="cart"}[75s]', at=_at(6, seconds=10))

    assert series.values.tolist() == [4.0, 5.0, 6.0]
    assert series.times_s.tolist() == [_at(n).timestamp() for n in (4, 5, 6)]


async def check_rules_are_asked_in_vain_where_there_are_none(metrics: Metrics) -> None:
    assert await metrics.rules() == ()


async def check_a_sample_speaks_for_less_than_five_minutes(metrics: Metrics) -> None:
    asked = 'shop_orders_total{service="gone"}'

    assert len(await metrics.query(asked, at=_at(2) + timedelta(minutes=4, seconds=50))) == 1
    assert await metrics.query(asked, at=_at(2) + timedelta(minutes=5, seconds=10)) == ()


async def check_a_time_before_the_first_sample_has_no_answer(metrics: Metrics) -> None:
    assert await metrics.query("shop_depth", at=BEGIN - timedelta(hours=1)) == ()


async def check_a_range_has_a_sample_a_step_with_both_ends(metrics: Metrics) -> None:
    (series,) = await metrics.query_range(
        'shop_depth{service="cart"}', start=_at(2), end=_at(8), step=2 * STEP
    )

    assert series.values.tolist() == [2.0, 4.0, 6.0, 8.0]
    assert series.times_s.tolist() == [_at(n).timestamp() for n in (2, 4, 6, 8)]


async def check_a_range_beyond_the_data_leaves_out_what_is_not_there(metrics: Metrics) -> None:
    (series,) = await metrics.query_range(
        'shop_depth{service="cart"}', start=_at(-4), end=_at(1), step=STEP
    )

    known = series.values[~np.isnan(series.values)]
    assert known.tolist() == [0.0, 1.0]


async def check_times_rise_and_values_are_finite_or_gaps(metrics: Metrics) -> None:
    for series in await _whole(metrics, '{__name__=~"shop_.*"}'):
        assert (np.diff(series.times_s) > 0).all()
        assert not np.isinf(series.values).any()


async def check_labels_come_without_the_name_and_values_unescaped(metrics: Metrics) -> None:
    (series,) = await _whole(metrics, 'shop_depth{service="pay"}')

    assert series.name == "shop_depth"
    assert series.labels == (("service", "pay"), ("zone", 'us "2"\\x'))


async def check_matchers_are_equal_unequal_like_and_unlike(metrics: Metrics) -> None:
    assert await _services(metrics, 'shop_depth{service="cart"}') == ["cart"]
    assert await _services(metrics, 'shop_depth{service!="cart"}') == ["pay"]
    assert await _services(metrics, 'shop_depth{service=~"c.*|x"}') == ["cart"]
    assert await _services(metrics, 'shop_depth{service!~"c.*"}') == ["pay"]
    assert await _services(metrics, "{__name__='shop_depth',zone=`eu-1`,}") == ["cart"]


async def check_a_pattern_fits_the_whole_value(metrics: Metrics) -> None:
    assert await _services(metrics, 'shop_depth{service=~"ar"}') == []


async def check_an_absent_label_is_the_empty_value(metrics: Metrics) -> None:
    assert await _services(metrics, 'shop_orders_total{zone=""}') == ["cart", "gone"]
    assert await _services(metrics, 'shop_depth{zone!=""}') == ["cart", "pay"]


async def check_quoted_signs_in_a_matcher_are_unescaped(metrics: Metrics) -> None:
    assert await _services(metrics, 'shop_depth{zone="us \\"2\\"\\\\x"}') == ["pay"]


async def check_a_metric_that_was_never_seen_has_no_series(metrics: Metrics) -> None:
    assert await _whole(metrics, "never_seen") == ()
    assert await metrics.series("never_seen", start=_at(0), end=_at(20)) == ()


async def check_series_are_listed_with_their_name(metrics: Metrics) -> None:
    found = await metrics.series("shop_orders_total", start=_at(0), end=_at(20))

    assert sorted(found) == [
        (("__name__", "shop_orders_total"), ("service", "cart")),
        (("__name__", "shop_orders_total"), ("service", "gone")),
    ]


async def check_a_selector_that_fits_everything_is_refused(metrics: Metrics) -> None:
    for selector in ("{}", '{service=~".*"}', '{service!="x"}'):
        await _refused(metrics, selector)


async def check_what_is_no_query_is_refused(metrics: Metrics) -> None:
    for query in (
        "",
        "shop_depth{",
        "shop_depth{service}",
        'shop_depth{service=~"("}',
        "a b",
        "}",
    ):
        await _refused(metrics, query)


async def check_times_without_a_zone_are_refused(metrics: Metrics) -> None:
    try:
        await metrics.query("shop_depth", at=BEGIN.replace(tzinfo=None))
    except BadInput:
        return
    raise AssertionError("a time without a zone was taken")


async def check_a_range_that_cannot_be_is_refused(metrics: Metrics) -> None:
    hour = timedelta(hours=1)
    for start, end, step in (
        (BEGIN, BEGIN - hour, STEP),
        (BEGIN, BEGIN + hour, timedelta(0)),
        (BEGIN, BEGIN + 1000 * hour, timedelta(seconds=1)),
    ):
        try:
            await metrics.query_range("shop_depth", start=start, end=end, step=step)
        except BadInput:
            continue
        raise AssertionError(f"the range {start} {end} {step} was taken")


CHECKS: tuple[Check, ...] = tuple(
    check for name, check in sorted(globals().items()) if name.startswith("check_")
)


def _at(sample: int, *, seconds: int = 0) -> datetime:
    return BEGIN + sample * STEP + timedelta(seconds=seconds)


async def _whole(metrics: Metrics, selector: str) -> tuple[Series, ...]:
    return await metrics.query_range(selector, start=_at(0), end=_at(SAMPLES - 1), step=STEP)


async def _services(metrics: Metrics, selector: str) -> list[str]:
    return sorted(dict(series.labels)["service"] for series in await _whole(metrics, selector))


async def _refused(metrics: Metrics, query: str) -> None:
    try:
        await metrics.query(query, at=_at(5))
    except BadInput:
        return
    raise AssertionError(f"{query!r} was answered")
