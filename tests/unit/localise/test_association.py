"""The weights of the graph: TRIGGERS by time and words, CORRELATES_WITH against base rates."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opsmith.localise.association import togetherness, trigger, words


def weigh(delay_s: float, *, alert: str = "a", metric: str = "b") -> float:
    return trigger(delay_s=delay_s, scrape_s=15.0, alert=words(alert), metric=words(metric)).weight


@pytest.mark.parametrize(
    ("delay_s", "share"),
    [(0.0, 1.0), (8.0, 1.0), (98.0, 0.5), (998.0, 1 / 3), (-15.0, 1.0), (-15.1, 0.0)],
)
def test_the_share_of_time_falls_with_the_delay_and_is_none_before_the_change(
    delay_s: float, share: float
) -> None:
    assert weigh(delay_s) == pytest.approx(0.7 * share)


def test_without_a_change_only_the_words_count() -> None:
    assert weigh(float("nan"), alert="CartLatencyHigh", metric="cart_latency") == pytest.approx(
        0.3
    )


def test_names_are_compared_by_their_words_without_units() -> None:
    found = trigger(
        delay_s=1e9,
        scrape_s=15.0,
        alert=words("HighCPUUsage", "service:cart"),
        metric=words("container_cpu_usage_seconds_total", "service:cart"),
    )

    assert words("HighCPUUsage", "service:cart") == {"cpu", "usage", "cart"}
    assert found.overlap == pytest.approx(3 / 4)


def test_words_of_any_alphabet_are_words() -> None:
    assert words("订单延迟_p99") == {"订单延迟", "p", "99"}


@given(st.floats(allow_nan=True, allow_infinity=True), st.text(), st.text())
def test_a_weight_lies_between_nothing_and_one(delay_s: float, alert: str, metric: str) -> None:
    assert 0.0 <= weigh(delay_s, alert=alert, metric=metric) <= 1.0


def slow_npmi(first: list[bool], second: list[bool]) -> float:
    bins = len(first)
    both = sum(a and b for a, b in zip(first, second, strict=True)) / bins
    if both == 0:
        return -1.0
    alone = (sum(first) / bins) * (sum(second) / bins)
    return math.log(both / alone) / -math.log(both)


def test_togetherness_is_the_plain_formula_discounted() -> None:
    first = [False] * 50 + [True] * 5
    second = [False] * 49 + [True] * 6

    found = togetherness(np.array([first, second]))

    assert found.npmi[0, 1] == pytest.approx(slow_npmi(first, second))
    assert found.weight[0, 1] == pytest.approx(slow_npmi(first, second) * 5 / 6 * 5 / 6)


def test_what_always_acts_says_nothing_of_what_acts_now() -> None:
    always = [True] * 60
    now = [False] * 50 + [True] * 10

    assert togetherness(np.array([always, now])).weight[0, 1] == pytest.approx(0.0)


def test_one_coincidence_is_worth_a_quarter() -> None:
    once = [False] * 59 + [True]

    assert togetherness(np.array([once, once])).weight[0, 1] == pytest.approx(0.25)


@given(arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 20))))
def test_togetherness_is_symmetric_and_bounded(active: np.ndarray) -> None:
    found = togetherness(active)

    assert np.all(np.isfinite(found.weight))
    assert np.all((found.weight >= 0) & (found.weight <= 1))
    assert np.array_equal(found.weight, found.weight.T)
    assert not found.weight.diagonal().any()
