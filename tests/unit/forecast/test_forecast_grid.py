"""Irregular samples in, equal steps out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.errors import BadInput
from opsmith.forecast.grid import fill_gaps, on_grid, regular, step_for
from opsmith.numerics.compiled import plain


def test_samples_with_jitter_fall_on_equal_steps() -> None:
    rng = np.random.default_rng(1)
    times = 1e9 + 60.0 * np.arange(500) + rng.uniform(-5, 5, 500)

    grid = on_grid(np.sort(times), np.arange(500.0))

    assert grid.step_s == 60.0
    assert np.isnan(grid.y).sum() <= 2
    assert grid.day == 1440


def test_duplicates_are_averaged_and_disorder_is_sorted_and_both_are_said() -> None:
    times = np.array([120.0, 0.0, 60.0, 60.0, 180.0])

    grid = on_grid(times, np.array([3.0, 1.0, 2.0, 4.0, 5.0]))

    assert grid.y.tolist() == [1.0, 3.0, 3.0, 5.0]
    assert any("share a time" in note for note in grid.notes)
    assert any("out of order" in note for note in grid.notes)


def test_the_repeated_hour_of_a_local_clock_is_averaged() -> None:
    times = 3600.0 * np.array([0, 1, 2, 2, 3, 4])  # the hour from 2 to 3 came twice

    grid = on_grid(times, np.array([1.0, 1.0, 1.0, 3.0, 1.0, 1.0]))

    assert grid.y.tolist() == [1.0, 1.0, 2.0, 1.0, 1.0]


def test_infinities_and_absurd_values_become_gaps_and_are_counted() -> None:
    values = np.array([1.0, np.inf, 2.0, 1e300, 3.0, np.nan, -np.inf])

    by_time = on_grid(60.0 * np.arange(7), values)
    by_place = regular(values, step_s=60.0)

    assert "3 infinite" in by_time.notes[0]
    assert "3 infinite" in by_place.notes[0]
    assert np.nanmax(by_time.y) == 3.0


def test_large_values_do_not_overflow_their_mean() -> None:
    grid = on_grid(np.array([0.0, 0.0, 60.0, 120.0]), np.array([9e149, 9e149, 1.0, 2.0]))

    assert grid.y[0] == pytest.approx(9e149)


@pytest.mark.parametrize(
    ("times", "values"),
    [
        ([0.0, 60.0], [1.0, 2.0]),
        ([0.0, 60.0, 120.0], [np.nan] * 3),
        ([60.0] * 5, [1.0] * 5),
        ([0.0, 60.0, 120.0], [1.0, 2.0]),
    ],
)
def test_too_little_to_go_by_is_refused(times: list[float], values: list[float]) -> None:
    with pytest.raises(BadInput):
        on_grid(np.array(times), np.array(values))


def test_a_grid_of_gaps_or_with_no_step_is_refused() -> None:
    with pytest.raises(BadInput):
        regular(np.full(9, np.nan), step_s=60.0)
    with pytest.raises(BadInput):
        regular(np.arange(9.0), step_s=0.0)


def test_more_points_than_allowed_lengthen_the_step() -> None:
    grid = on_grid(15.0 * np.arange(100_000), np.ones(100_000), most_points=5_000)

    assert grid.y.size <= 5_001
    assert grid.step_s == 300.0


def test_steps_divide_a_day_or_are_whole_days() -> None:
    assert step_for(13.0) == 15.0
    assert step_for(200_000.0) == 259_200.0


def test_a_day_long_step_has_a_week_but_no_day() -> None:
    grid = regular(np.arange(30.0), step_s=86_400.0)

    assert (grid.day, grid.week) == (0, 7)
    assert regular(np.arange(30.0), step_s=172_800.0).week == 0


def test_gaps_are_filled_with_the_day_before_then_the_last_value() -> None:
    y = np.array([np.nan, 1.0, np.nan, 3.0, np.nan, np.nan])

    filled = fill_gaps(y, 2)

    assert filled.tolist() == [1.0, 1.0, 1.0, 3.0, 1.0, 3.0]


@given(st.lists(st.one_of(st.floats(-9, 9), st.just(float("nan"))), min_size=1, max_size=30))
def test_filling_agrees_with_its_plain_twin(values: list[float]) -> None:
    y = np.array([0.0, *values])

    assert fill_gaps(y, 3).tolist() == plain(fill_gaps)(y, 3).tolist()
    assert plain(fill_gaps)(y[::-1].copy(), 3).tolist() == fill_gaps(y[::-1].copy(), 3).tolist()


def test_the_future_follows_the_last_step() -> None:
    grid = regular(np.arange(4.0), step_s=60.0, start_s=100.0)

    assert grid.times_s().tolist() == [100.0, 160.0, 220.0, 280.0]
    assert grid.future_s(2).tolist() == [340.0, 400.0]
