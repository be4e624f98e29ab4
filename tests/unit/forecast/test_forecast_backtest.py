"""The back-test, the choice, the blend and the intervals that follow from it."""

import numpy as np
import pytest

from opsmith.forecast import backtest, intervals
from opsmith.forecast.grid import regular
from opsmith.nouns.forecast import LEVELS, MEDIAN


def test_folds_lie_whole_days_back_and_end_with_now() -> None:
    grid = regular(np.arange(24.0 * 20), step_s=3600.0)

    origins = backtest.origins_for(grid, 48)

    assert origins[-1] == 480
    assert np.all((480 - origins) % 24 == 0)
    assert origins[-2] == 480 - 48
    assert backtest.independent(origins, 48) == 4


def test_a_short_history_spreads_its_folds_over_its_second_half() -> None:
    origins = backtest.origins_for(regular(np.arange(10.0), step_s=3600.0), 100)

    assert origins.tolist() == [5, 6, 7, 8, 10] or origins[0] == 5
    assert origins[-1] == 10
    assert backtest.independent(np.array([10]), 5) == 1


def test_what_came_is_a_gap_past_the_end() -> None:
    grid = regular(np.arange(10.0), step_s=3600.0)

    came = backtest.actual_at(grid, np.array([6, 9, 10]), 3)

    assert came[0].tolist() == [6.0, 7.0, 8.0]
    assert came[1, 0] == 9.0
    assert np.isnan(came[1, 1:]).all()


def test_a_mute_candidate_is_given_its_usual_ratio_to_the_fold() -> None:
    errors = np.array([[1.0, 10.0], [1.0, 10.0], [2.0, np.nan], [np.nan, np.nan]])

    full = backtest.complete(errors, 1.0)

    assert full[2, 1] == pytest.approx(20.0, rel=1e-2)
    assert full[3, 0] == pytest.approx(2.0, rel=1e-2)


def test_the_preferred_one_wins_within_a_standard_error_only() -> None:
    close = np.array([[1.0, 1.2, 0.9, 1.1], [1.1, 1.1, 1.0, 1.05]])
    far = np.array([[1.0, 1.2, 0.9, 1.1], [2.1, 2.3, 2.0, 2.2]])

    assert backtest.choose(close, 1) == 1
    assert backtest.choose(far, 1) == 0
    assert backtest.choose(far, None) == 0
    assert backtest.choose(far[:, :1], 1) == 0


def test_the_blend_lets_the_mute_be_silent() -> None:
    said = np.array([[1.0, np.nan, np.nan], [3.0, 3.0, np.nan]])

    mixed = backtest.blend(said, np.array([0.5, 0.5]))

    assert mixed[:2].tolist() == [2.0, 3.0]
    assert np.isnan(mixed[2])


def test_residuals_of_the_blend_leave_their_own_fold_out() -> None:
    forecasts = np.array([[[0.0], [9.0], [0.0]], [[9.0], [0.0], [0.0]]])
    folds = backtest.Folds(names=("a", "b"), forecasts=forecasts, actual=np.zeros((2, 1)))

    residuals = backtest.blend_residuals(folds, backtest.complete(folds.errors(), 1.0))

    assert np.all(np.abs(residuals) > 8.9)


def test_one_fold_is_its_own_judge() -> None:
    folds = backtest.Folds(
        names=("a",), forecasts=np.array([[[1.0], [0.0]]]), actual=np.zeros((1, 1))
    )

    assert backtest.blend_residuals(folds, np.ones((1, 1))).tolist() == [[-1.0]]


def test_intervals_cover_what_they_promise_on_noise() -> None:
    rng = np.random.default_rng(0)
    inside80, inside95 = [], []
    for _ in range(300):
        quantiles = intervals.around(np.zeros(24), rng.normal(size=(8, 24)), 8)
        came = rng.normal(size=24)
        inside80.append(np.mean((came >= quantiles[1]) & (came <= quantiles[-2])))
        inside95.append(np.mean((came >= quantiles[0]) & (came <= quantiles[-1])))

    assert 0.78 < np.mean(inside80) < 0.90
    assert 0.93 < np.mean(inside95) < 0.99


def test_rows_never_cross_and_the_median_stays() -> None:
    median = np.arange(10.0)

    quantiles = intervals.around(median, np.random.default_rng(1).normal(size=(4, 10)), 4)

    assert np.all(np.diff(quantiles, axis=0) >= 0)
    np.testing.assert_allclose(quantiles[MEDIAN], median)
    assert quantiles.shape[0] == len(LEVELS)


def test_leads_past_the_longest_known_one_widen() -> None:
    residuals = np.full((4, 40), np.nan)
    residuals[:, :10] = np.random.default_rng(1).normal(size=(4, 10))

    quantiles = intervals.around(np.zeros(40), residuals, 4)

    width = quantiles[-1] - quantiles[0]
    assert width[39] == pytest.approx(2 * width[9])


def test_without_any_error_seen_there_is_no_width() -> None:
    quantiles = intervals.around(np.arange(3.0), np.full((1, 3), np.nan), 1)

    assert np.ptp(quantiles, axis=0).tolist() == [0.0, 0.0, 0.0]


def test_adapting_brings_coverage_to_its_promise_when_the_noise_triples() -> None:
    rng = np.random.default_rng(2)
    raw = np.quantile(rng.normal(size=20_000), LEVELS)[:, None]
    correction = intervals.Correction()
    hits = []
    for at in range(3_000):
        said = intervals.corrected(correction, raw)
        came = 3.0 * rng.normal(size=1)
        if at > 500:
            hits.append(bool(said[1, 0] <= came[0] <= said[-2, 0]))
        correction = intervals.adapt(correction, said, came)

    assert np.mean(hits) == pytest.approx(0.8, abs=0.03)
    assert 2.0 < correction.width80 < 4.5
    assert intervals.adapt(correction, raw, np.array([np.nan])) == correction
