"""Series made from histograms and status labels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.ingest.derived import increase, is_failure, with_derived
from opsmith.ingest.samples import RawSeries
from opsmith.numerics.histogram import bucket_quantile


def raw(name: str, values: list[float], *, begin: float = 0.0, **labels: str) -> RawSeries:
    return RawSeries(
        name=name,
        labels=tuple(sorted(labels.items())),
        declared="counter" if name.endswith(("_total", "_count", "_sum", "_bucket")) else "",
        times_s=begin + 10.0 * np.arange(len(values)),
        values=np.array(values),
    )


def by_name(*found: RawSeries) -> dict[str, RawSeries]:
    return {series.name: series for series in with_derived(found)}


def test_a_histogram_gives_mean_and_quantile_and_keeps_its_count() -> None:
    found = by_name(
        raw("req_seconds_bucket", [0, 5, 5], le="0.1"),
        raw("req_seconds_bucket", [0, 10, 10], le="0.5"),
        raw("req_seconds_bucket", [0, 10, 14], le="+Inf"),
        raw("req_seconds_sum", [0, 2.0, 10.0]),
        raw("req_seconds_count", [0, 10, 14]),
    )

    assert set(found) == {"req_seconds_count", "req_seconds:mean", "req_seconds:p95"}
    assert found["req_seconds:mean"].times_s.tolist() == [10.0, 20.0]
    assert found["req_seconds:mean"].values.tolist() == pytest.approx([0.2, 2.0])
    assert found["req_seconds:p95"].values.tolist() == pytest.approx([0.46, 0.5])


def test_an_idle_interval_is_a_gap_and_a_reset_counts_from_zero() -> None:
    found = by_name(raw("r_sum", [0, 0, 4, 1]), raw("r_count", [0, 0, 2, 1]))

    values = found["r:mean"].values.tolist()
    assert math.isnan(values[0])
    assert values[1:] == [2.0, 1.0]


def test_statuses_of_one_route_are_put_together() -> None:
    found = by_name(
        raw("r_sum", [0, 1.0], code="200"),
        raw("r_count", [0, 3], code="200"),
        raw("r_sum", [0, 1.0], code="500"),
        raw("r_count", [0, 1], code="500"),
    )

    assert found["r:mean"].values.tolist() == [0.5]
    assert found["r:mean"].labels == ()
    assert found["r_count:error_ratio"].values.tolist() == [0.25]


def test_a_status_that_appears_later_began_at_zero() -> None:
    found = by_name(
        raw("http_total", [0, 10, 20], code="200"), raw("http_total", [5], begin=20.0, code="503")
    )

    assert found["http_total:error_ratio"].values.tolist() == pytest.approx([0.0, 1 / 3])


def test_without_a_status_that_succeeds_there_is_no_ratio() -> None:
    assert set(by_name(raw("failed_total", [0, 1], code="500"))) == {"failed_total"}


def test_statuses_that_never_fail_have_the_ratio_zero() -> None:
    found = by_name(raw("http_total", [0, 1], code="200"))

    assert found["http_total:error_ratio"].values.tolist() == [0.0]


def test_an_outcome_that_is_no_status_has_no_ratio() -> None:
    found = by_name(
        raw("look_total", [0, 1], result="hit"), raw("look_total", [0, 1], result="miss")
    )

    assert set(found) == {"look_total"}


def test_a_sum_without_its_count_and_bad_bounds_make_nothing() -> None:
    found = by_name(
        raw("a_sum", [0, 1]),
        raw("b_sum", [0, 1]),
        raw("b_bucket", [0, 1], le="x"),
        raw("b_bucket", [0, 1]),
        raw("x_created", [0, 1]),
        raw("lone_count", [0, 1]),
    )

    assert set(found) == {"lone_count"}


def test_gaps_in_one_member_do_not_stop_the_others() -> None:
    found = by_name(raw("r_sum", [0, math.nan, 4]), raw("r_count", [0, 1, 2]))

    assert np.nansum(found["r:mean"].values) == 4.0


@given(
    st.lists(st.integers(0, 20), min_size=3, max_size=6).filter(any),
    st.floats(0.01, 0.99),
)
def test_the_quantile_is_that_of_the_slow_obvious_version(counts: list[int], q: float) -> None:
    edges = [float(edge) for edge in range(1, len(counts))] + [math.inf]
    cumulative = np.cumsum(counts).astype(float)

    found = bucket_quantile(q, np.array(edges), cumulative[:, None])[0]

    assert found == pytest.approx(slow_quantile(q, edges, counts))


def slow_quantile(q: float, edges: list[float], counts: list[int]) -> float:
    rank, below = q * sum(counts), 0.0
    for row, count in enumerate(counts):
        if below + count >= rank and (count or row == 0):
            if math.isinf(edges[row]):
                return edges[row - 1]
            lower = edges[row - 1] if row else 0.0
            return lower + (edges[row] - lower) * ((rank - below) / count if count else 1.0)
        below += count
    return edges[-2]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_growth_is_never_negative_and_whole_without_resets(steps: list[int]) -> None:
    values = np.cumsum(steps).astype(float)

    assert increase(values).sum() == values[-1] - values[0]
    assert (increase(values[::-1]) >= 0).all()


@pytest.mark.parametrize("status", ["500", "5xx", "Error", "UNAVAILABLE", "timeout"])
def test_what_says_that_the_server_failed(status: str) -> None:
    assert is_failure(status)


@pytest.mark.parametrize("status", ["200", "404", "OK", "", "success", "5"])
def test_what_does_not(status: str) -> None:
    assert not is_failure(status)
