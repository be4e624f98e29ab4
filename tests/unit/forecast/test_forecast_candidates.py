"""The plain candidates and the regression see nothing after their origin."""

import numpy as np
import pytest
from made_for_forecasts import wave

from opsmith.forecast import autoregression, naive
from opsmith.forecast.backtest import origins_for
from opsmith.forecast.candidates import MODELS, NAIVE, ask_all
from opsmith.forecast.grid import regular
from opsmith.numerics.compiled import plain

ORIGINS = np.array([24 * 9, 24 * 12])


@pytest.mark.parametrize("name", [*NAIVE, *MODELS])
def test_no_candidate_looks_past_its_origin(name: str) -> None:
    ask = {**NAIVE, **MODELS}[name]
    y = wave(24 * 14)
    other = y.copy()
    other[24 * 12 :] = y[24 * 12 :].mean()  # as large, so that the scale stays alike

    said = ask(regular(y[: 24 * 12], step_s=3600.0), ORIGINS, 24)[0]
    longer = ask(regular(other[: 24 * 12], step_s=3600.0), ORIGINS[:1], 24)[0]

    np.testing.assert_allclose(said, longer, rtol=1e-6, atol=1e-6)


def test_the_naive_ones_repeat_what_they_say() -> None:
    y = np.arange(24.0 * 15)
    grid = regular(y, step_s=3600.0)
    at = np.array([24 * 15])

    assert naive.last_value(grid, at, 2)[0].tolist() == [359.0, 359.0]
    assert naive.day_before(grid, at, 26)[0, [0, 24]].tolist() == [336.0, 336.0]
    assert naive.week_before(grid, at, 1)[0, 0] == 360 - 168
    assert naive.daily_profile(grid, at, 1)[0, 0] == 360 - 4 * 24


def test_too_short_a_history_leaves_them_mute() -> None:
    grid = regular(np.arange(30.0), step_s=3600.0)
    weekly = regular(np.arange(30.0), step_s=200_000.0)

    assert np.isnan(naive.week_before(grid, np.array([30]), 3)).all()
    assert np.isnan(naive.daily_profile(grid, np.array([30]), 3)).all()
    assert np.isnan(naive.daily_profile(weekly, np.array([30]), 3)).all()
    assert np.isnan(autoregression.autoregression(grid, np.array([3]), 3)).all()


def test_the_regression_carries_a_wave_on() -> None:
    y = wave(24 * 30, noise=0.05)
    grid = regular(y[: 24 * 28], step_s=3600.0)

    ahead = autoregression.autoregression(grid, np.array([24 * 28]), 48)[0]

    assert np.abs(ahead - y[24 * 28 :]).mean() < 0.1


def test_the_regression_on_logarithms_wants_positive_values() -> None:
    y = wave(24 * 30)
    at = np.array([24 * 30])

    positive = autoregression.log_autoregression(regular(y, step_s=3600.0), at, 5)
    negative = autoregression.log_autoregression(regular(y - 50, step_s=3600.0), at, 5)

    assert np.isfinite(positive).all()
    assert np.isnan(negative).all()


def test_a_flat_past_stays_flat() -> None:
    y = np.append(np.full(60, 4.0), 5.0)

    said = autoregression.autoregression(regular(y, step_s=3600.0), np.array([60]), 3)

    assert said.tolist() == [[4.0, 4.0, 4.0]]


def test_lags_of_daily_samples_are_weekly() -> None:
    assert autoregression.lags_for(0, 7, 60).tolist() == [1, 2, 3, 6, 7, 8]
    assert 72 in autoregression.lags_for(288, 2016, 4000)


def test_iterating_agrees_with_its_plain_twin_and_keeps_bounds() -> None:
    z, lags = wave(50), np.array([1, 3])
    coefficients = np.array([1.2, 0.3, 0.1])

    fast = autoregression.iterate(z, lags, coefficients, 9, (0.0, 20.0))

    assert (
        fast.tolist()
        == plain(autoregression.iterate)(z, lags, coefficients, 9, (0.0, 20.0)).tolist()
    )
    assert fast.max() == 20.0


def test_a_constant_asks_no_model() -> None:
    grid = regular(np.full(100, 3.0), step_s=3600.0)

    folds = ask_all(grid, origins_for(grid, 6), 6)

    assert set(folds.names) <= set(NAIVE)


def test_candidates_can_be_left_out_and_events_be_given() -> None:
    grid = regular(wave(240), step_s=3600.0)
    out = frozenset({"gaussian process", "autoregression", "log autoregression", "day before"})

    folds = ask_all(grid, origins_for(grid, 6), 6, without=out, extra=np.zeros((246, 1)))
    none = ask_all(grid, origins_for(grid, 6), 6, without=out | {"decomposable"})

    assert folds.names == ("last value", "week before", "daily profile", "decomposable")
    assert "decomposable" not in none.names
