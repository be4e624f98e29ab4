"""Robust statistics of many rows at once, against the slow and obvious."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsmith.numerics.robust import (
    MAD_TO_SIGMA,
    change_point,
    counter_rates,
    extreme_levels,
    fenced,
    level_and_spread,
    quantile_of_sorted,
)

cells = st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")))
rows = st.lists(st.lists(cells, min_size=7, max_size=7), min_size=1, max_size=5).map(np.array)


@settings(deadline=None)
@given(rows)
def test_levels_and_spreads_are_those_of_single_rows(values: np.ndarray) -> None:
    level, spread = level_and_spread(values, np.full(len(values), 0.5))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(values, axis=1)
        mad = MAD_TO_SIGMA * np.nanmedian(np.abs(values - expected[:, None]), axis=1)
    assert level == pytest.approx(expected, nan_ok=True)
    assert (np.isnan(spread) | (spread >= np.fmax(mad, 0.5) - 1e-6)).all()


@settings(deadline=None)
@given(rows, st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: np.ndarray, share: float) -> None:
    count = np.count_nonzero(~np.isnan(values), axis=1)
    found = quantile_of_sorted(np.sort(values, axis=1), count, share)

    for row, one in enumerate(values):
        known = one[~np.isnan(one)]
        if len(known):
            assert found[row] == pytest.approx(np.quantile(known, share), abs=1e-6)
        else:
            assert np.isnan(found[row])


@settings(deadline=None)
@given(rows)
def test_a_change_point_explains_most_of_the_squares(values: np.ndarray) -> None:
    split, share = change_point(values)

    for row, one in enumerate(values):
        best = 0.0
        known = one[~np.isnan(one)]
        total = float(((known - known.mean()) ** 2).sum()) if len(known) else 0.0
        for cut in range(1, len(one)):
            sides = [side[~np.isnan(side)] for side in (one[:cut], one[cut:])]
            if total > 0 and all(len(side) for side in sides):
                left = sum(float(((side - side.mean()) ** 2).sum()) for side in sides)
                best = max(best, 1.0 - left / total)
        assert share[row] == pytest.approx(best, abs=1e-6)
        assert split[row] == -1 or not np.isnan(one[split[row]])


def test_extremes_are_means_of_two() -> None:
    low, high = extreme_levels(np.array([[1.0, 2.0, np.nan, 9.0], [5.0, np.nan, np.nan, np.nan]]))

    assert low.tolist() == [1.5, 5.0]
    assert high.tolist() == [5.5, 5.0]


def test_no_columns_give_nothing() -> None:
    nothing = np.empty((2, 0))

    assert np.isnan(extreme_levels(nothing)).all()
    assert change_point(nothing)[0].tolist() == [-1, -1]
    assert np.isnan(level_and_spread(nothing, np.ones(2))[0]).all()
    assert counter_rates(np.empty(0), nothing).shape == (2, 0)


def test_a_counter_that_restarts_counts_from_zero() -> None:
    rates = counter_rates(np.array([0.0, 10.0, 20.0]), np.array([[100.0, 150.0, 30.0]]))

    assert np.isnan(rates[0, 0])
    assert rates[0, 1:].tolist() == [5.0, 3.0]


def test_far_out_values_are_moved_to_the_fence_and_gaps_stay() -> None:
    y = np.array([*np.linspace(0.0, 10.0, 101), np.nan, 1e9, -1e9])

    inside = fenced(y)

    assert np.isnan(inside[101])
    assert inside[:101].tolist() == y[:101].tolist()
    assert 35.0 < inside[102] < 45.0
    assert fenced(np.array([5.0] * 50 + [9.0])).max() == 9.0
