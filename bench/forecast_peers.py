"""Forecasts of other tools on the same tasks, each with its own intervals; absent ones say so."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable

import numpy as np
from forecast_data import DAY_S, Task
from numpy.typing import NDArray
from scipy.special import ndtri

from opsmith.forecast.grid import fill_gaps
from opsmith.nouns.forecast import LEVELS

LEARN_ON = 2_016
Peer = Callable[[Task], NDArray[np.float64]]


def installed() -> tuple[dict[str, Peer], list[str]]:
    """The peers that can run here, and a line for each that cannot."""
    known: dict[str, tuple[str, Peer]] = {
        "Prophet": ("prophet", prophet),
        "statsforecast MSTL": ("statsforecast", mstl),
        "LightGBM recursive": ("lightgbm", lightgbm_recursive),
        "celerite2 GP": ("celerite2", celerite),
    }
    found = {name: peer for name, (module, peer) in known.items() if _there(module)}
    lacking = [
        f"{name} is not installed: pip install -r bench/requirements-forecast.txt"
        for name in known
        if name not in found
    ]
    return found, lacking


def _there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def prophet(task: Task) -> NDArray[np.float64]:
    """Prophet with its defaults; quantiles from its own predictive samples."""
    import pandas as pd
    from prophet import Prophet

    for name in ("prophet", "cmdstanpy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    times = pd.to_datetime(task.start_s + task.step_s * np.arange(task.train.size), unit="s")
    model = Prophet()
    model.fit(pd.DataFrame({"ds": times, "y": task.train}))
    ahead = task.start_s + task.step_s * (task.train.size + np.arange(task.test.size))
    samples = model.predictive_samples(pd.DataFrame({"ds": pd.to_datetime(ahead, unit="s")}))
    return np.quantile(samples["yhat"], LEVELS, axis=1)


def mstl(task: Task) -> NDArray[np.float64]:
    """Statsforecast's MSTL over day and week, the trend by AutoETS."""
    from statsforecast.models import MSTL, AutoETS

    week = 7 * task.day
    seasons = [task.day] + ([week] if task.train.size > 2 * week else [])
    model = MSTL(season_length=seasons, trend_forecaster=AutoETS(model="ZZN"))
    model.fit(fill_gaps(task.train, task.day))
    said = model.predict(h=task.test.size, level=[95])
    deviation = (said["hi-95"] - said["mean"]) / ndtri(0.975)
    return said["mean"] + ndtri(np.array(LEVELS))[:, None] * deviation


def lightgbm_recursive(task: Task) -> NDArray[np.float64]:
    """100 trees a series on eight lags and the clock, fed its own answers.

    Intervals from the errors of one held-out horizon.
    """
    filled = fill_gaps(task.train, task.day)
    steps = task.test.size
    held = _grow(filled[:-steps], task.day, steps)
    errors = filled[-steps:] - held
    spread = np.quantile(errors - np.median(errors), LEVELS)
    return _grow(filled, task.day, steps) + spread[:, None]


def _grow(y: NDArray[np.float64], day: int, steps: int) -> NDArray[np.float64]:
    import lightgbm

    lags = [lag for lag in (1, 2, 3, day - 1, day, day + 1, 2 * day, 7 * day) if lag < y.size // 2]
    longest = max(lags)

    def features(values: NDArray[np.float64], at: int) -> list[float]:
        return [*(values[at - lag] for lag in lags), at % day, (at // day) % 7]

    rows = np.array([features(y, at) for at in range(longest, y.size)])
    settings = {"num_leaves": 31, "num_threads": 1, "verbose": -1, "objective": "regression"}
    model = lightgbm.train(settings, lightgbm.Dataset(rows, y[longest:]), num_boost_round=100)
    out = np.concatenate([y, np.empty(steps)])
    for at in range(y.size, y.size + steps):
        out[at] = model.predict(np.array([features(out, at)]))[0]
    return out[y.size :]


def celerite(task: Task) -> NDArray[np.float64]:
    """celerite2: day harmonics, a slow and a fast term, six hyper-parameters by L-BFGS."""
    import celerite2
    from celerite2 import terms
    from scipy.optimize import minimize

    centre, spread = float(np.nanmean(task.train)), float(np.nanstd(task.train)) or 1.0
    at = np.arange(task.train.size) * task.step_s / DAY_S
    known = np.isfinite(task.train)
    z = (task.train - centre) / spread

    def process(theta: NDArray[np.float64], keep: NDArray[np.bool_]) -> celerite2.GaussianProcess:
        slow, fast, day, length, short, noise = np.exp(np.clip(theta, -8, 8))
        kernel = terms.Matern32Term(sigma=slow, rho=length)
        kernel += terms.Matern32Term(sigma=fast, rho=short)
        for order in range(1, 5):
            kernel += terms.SHOTerm(sigma=day / order, rho=1.0 / order, Q=100.0)
        gp = celerite2.GaussianProcess(kernel, mean=0.0)
        gp.compute(at[keep], diag=np.full(int(keep.sum()), noise**2 + 1e-6))
        return gp

    recent = known & (np.arange(at.size) >= at.size - LEARN_ON)

    def loss(theta: NDArray[np.float64]) -> float:
        try:
            return -float(process(theta, recent).log_likelihood(z[recent]))
        except celerite2.driver.LinAlgError:
            return 1e10

    start = np.log([0.5, 0.3, 0.7, 2.0, 0.1, 0.2])
    best = minimize(loss, start, method="L-BFGS-B", options={"maxiter": 10})
    gp = process(best.x, known)
    ahead = (task.train.size + np.arange(task.test.size)) * task.step_s / DAY_S
    mean, variance = gp.predict(z[known], t=ahead, return_var=True)
    deviation = np.sqrt(np.maximum(variance, 0) + np.exp(2 * best.x[-1]))
    return centre + spread * (mean + ndtri(np.array(LEVELS))[:, None] * deviation)
