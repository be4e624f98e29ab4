"""Many series at once give what one series gives."""

import numpy as np
import pytest
from made_for_forecasts import wave

from opsmith.errors import BadInput
from opsmith.forecast import backtest, naive
from opsmith.forecast.decomposable import at_origins
from opsmith.forecast.fleet import _decomposed, _naive, fit_many, joined
from opsmith.forecast.grid import regular


def fleet(count: int = 6, n: int = 24 * 12) -> np.ndarray:
    return np.stack([wave(n, seed=seed) for seed in range(count)]).astype(np.float32)


def test_the_candidates_of_a_batch_equal_those_of_single_series() -> None:
    y = fleet()
    grid = regular(y[2].astype(float), step_s=3600.0)
    origins = backtest.origins_for(grid, 24)

    plain = _naive(y, grid_of(y), origins, 24)
    fitted = _decomposed(y, grid_of(y), origins, 24)

    for name, ask in (
        ("last value", naive.last_value),
        ("day before", naive.day_before),
        ("week before", naive.week_before),
        ("daily profile", naive.daily_profile),
    ):
        np.testing.assert_allclose(plain[name][2], ask(grid, origins, 24), rtol=1e-6)
    each = at_origins(grid, origins, 24)
    apart = [np.abs(each[i] - fitted[2]).max() for i in range(len(each))]
    assert min(apart) < 1e-3


def grid_of(y: np.ndarray):  # noqa: ANN201 - as `regular`
    return regular(np.arange(y.shape[1], dtype=float), step_s=3600.0)


def test_forecasts_do_not_depend_on_the_batch() -> None:
    y = fleet()

    whole = fit_many(y, step_s=3600.0, steps=24)
    pieces = joined(
        [fit_many(y[:2], step_s=3600.0, steps=24), fit_many(y[2:], step_s=3600.0, steps=24)]
    )

    np.testing.assert_allclose(whole.quantiles, pieces.quantiles, rtol=1e-4, atol=1e-4)
    assert whole.names == pieces.names


def test_a_fleet_of_waves_is_carried_on_with_a_band() -> None:
    y = fleet(n=24 * 16)

    found = fit_many(y[:, : 24 * 15], step_s=3600.0, steps=24)

    low, middle, high = found.quantiles.transpose(1, 0, 2)
    assert np.abs(middle - y[:, 24 * 15 :]).mean() < 0.4
    assert np.mean((y[:, 24 * 15 :] >= low) & (y[:, 24 * 15 :] <= high)) > 0.6
    np.testing.assert_allclose(found.shares.sum(axis=1), 1.0, rtol=1e-5)


def test_gaps_are_closed_and_empty_rows_answer_nothing() -> None:
    y = fleet()
    y[0, 50:60] = np.nan
    y[1] = np.nan
    y[2, 7] = np.inf

    found = fit_many(y, step_s=3600.0, steps=12)

    assert np.isnan(found.quantiles[1]).all()
    assert np.isfinite(found.quantiles[[0, 2, 3]]).all()


def test_constants_and_short_histories_are_answered() -> None:
    constant = fit_many(np.full((2, 100), 3.0, dtype=np.float32), step_s=3600.0, steps=30)
    short = fit_many(np.arange(8.0, dtype=np.float32)[None], step_s=3600.0, steps=20)
    one = fit_many(np.arange(3.0, dtype=np.float32)[None], step_s=3600.0, steps=2)

    assert np.abs(constant.quantiles - 3.0).max() < 1e-3
    assert np.isfinite(short.quantiles).all()
    assert np.isfinite(one.quantiles).all()


@pytest.mark.parametrize("y", [np.ones(5), np.ones((3, 2))])
def test_what_is_no_matrix_of_series_is_refused(y: np.ndarray) -> None:
    with pytest.raises(BadInput):
        fit_many(y.astype(np.float32), step_s=60.0, steps=3)
