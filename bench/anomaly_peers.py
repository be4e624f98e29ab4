"""Other detectors for comparison: windowed Gaussian, LightGBM with a t-interval, river's trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Peer = Callable[[Floats, Floats], tuple[Floats, Floats]]

# NAB's own scoreboard, standard profile (github.com/numenta/NAB, README): all 58 files, the
# threshold chosen on the same files. Quoted, not run.
PUBLISHED_NAB = {
    "ARTime": 74.9,
    "Numenta HTM": 70.1,
    "CAD OSE": 69.9,
    "HTM Java": 65.5,
    "earthgecko Skyline": 58.2,
    "NumentaTM": 64.6,
    "KNN CAD": 58.0,
    "Relative Entropy": 54.6,
    "Random Cut Forest": 51.7,
    "Twitter ADVec": 47.1,
    "Windowed Gaussian": 39.6,
    "Etsy Skyline": 35.7,
    "Bayesian changepoint": 17.7,
    "random": 16.8,
    "EXPoSE": 16.4,
}

WINDOW, STEP = 6400, 150  # NAB's windowed Gaussian
LAGS, RESIDUALS = 12, 64


def windowed_gaussian(times_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """One minus the normal tail beyond a value, mean and deviation of a sliding window."""
    del times_s
    scores, mean, deviation = np.zeros(len(values)), 0.0, 1.0
    filled = np.where(np.isfinite(values), values, 0.0)
    for row, value in enumerate(filled):
        if row > 0 and (row < WINDOW or row % STEP == 0):
            past = filled[max(0, row - WINDOW) : row]
            mean, deviation = float(past.mean()), max(float(past.std()), 1e-6)
        scores[row] = 1.0 - stats.norm.sf(abs(value - mean) / deviation)
    return scores, scores


def lightgbm_t(times_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """LightGBM on 12 lags, refitted as the series doubles; Student-t tail of 64 residuals."""
    import lightgbm

    del times_s
    y = np.where(np.isfinite(values), values, 0.0)
    lagged = np.lib.stride_tricks.sliding_window_view(y, LAGS)[:-1]
    predicted, at = y.copy(), 100
    while at < len(y):
        settings = {"num_leaves": 15, "verbose": -1, "num_threads": 1}
        data = lightgbm.Dataset(lagged[: at - LAGS], y[LAGS:at])
        model = lightgbm.train(settings, data, num_boost_round=60)
        end = min(2 * at, len(y))
        predicted[at:end] = model.predict(lagged[at - LAGS : end - LAGS])
        at = end
    residual, scores = y - predicted, np.zeros(len(y))
    for row in range(100 + RESIDUALS, len(y)):
        past = residual[row - RESIDUALS : row]
        error = max(float(past.std(ddof=1)), 1e-9) * np.sqrt(1 + 1 / RESIDUALS)
        t = abs(residual[row] - past.mean()) / error
        scores[row] = -stats.t.logsf(t, RESIDUALS - 1) / 100.0
    return scores, scores


def half_space_trees(times_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """River's HalfSpaceTrees (25 trees) on the value and its change, scaled to 0 to 1 online."""
    from river import anomaly, compose, preprocessing

    del times_s
    model = compose.Pipeline(
        preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(n_trees=25, seed=1)
    )
    scores, before = np.zeros(len(values)), 0.0
    for row, value in enumerate(np.where(np.isfinite(values), values, 0.0)):
        x = {"value": float(value), "change": float(value) - before}
        scores[row] = model.score_one(x)
        model.learn_one(x)
        before = float(value)
    return scores, scores


def installed() -> Iterator[tuple[str, Peer]]:
    """The peers that are installed; bench/requirements-anomaly.txt pins the optional one."""
    yield "windowed Gaussian", windowed_gaussian
    yield "LightGBM + t", lightgbm_t
    try:
        import river  # noqa: F401
    except ImportError:
        return
    yield "river HalfSpaceTrees", half_space_trees
