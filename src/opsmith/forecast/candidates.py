"""The list of candidates that the back-test judges, and what each is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast import autoregression, decomposable, gaussian, naive
from opsmith.forecast.backtest import Folds, actual_at
from opsmith.forecast.grid import Grid

PREFERRED = "autoregression"
PLAINEST = "last value"
PROCESS = "gaussian process"
DECOMPOSABLE = "decomposable"
# Fewer steps than this cannot teach a model with a dozen coefficients.
FEWEST_FOR_MODELS = 24

Candidate = Callable[[Grid, NDArray[np.int64], int], NDArray[np.float64]]

NAIVE: dict[str, Candidate] = {
    PLAINEST: naive.last_value,
    "day before": naive.day_before,
    "week before": naive.week_before,
    "daily profile": naive.daily_profile,
}
MODELS: dict[str, Candidate] = {
    PREFERRED: autoregression.autoregression,
    "log autoregression": autoregression.log_autoregression,
    PROCESS: gaussian.at_origins,
}


def ask_all(
    grid: Grid,
    origins: NDArray[np.int64],
    steps: int,
    *,
    without: frozenset[str] = frozenset(),
    extra: NDArray[np.float64] | None = None,
    limits: tuple[float, float] | None = None,
) -> Folds:
    """Every candidate's forecast from every origin (the last is now).

    without: names to leave out. extra: (n + steps, e) columns for the decomposable model, limits:
    between which its trend flattens.
    A candidate that is mute now (NaN at the last origin) is left out.
    """
    actual = actual_at(grid, origins, steps)
    said = {name: ask(grid, origins, steps) for name, ask in NAIVE.items() if name not in without}
    able = origins >= FEWEST_FOR_MODELS
    if able[-1] and np.ptp(grid.filled) > 0:
        for name, ask in MODELS.items():
            if name not in without:
                said[name] = _where_able(ask, grid, origins, able, steps)
        if DECOMPOSABLE not in without:
            every = _decomposable(grid, origins, steps, extra, limits)
            every[:, ~able] = np.nan
            said[DECOMPOSABLE] = every[_best(every, actual)]
    talking = {name: values for name, values in said.items() if np.isfinite(values[-1]).all()}
    return Folds(names=tuple(talking), forecasts=np.stack(list(talking.values())), actual=actual)


def _decomposable(
    grid: Grid,
    origins: NDArray[np.int64],
    steps: int,
    extra: NDArray[np.float64] | None,
    limits: tuple[float, float] | None,
) -> NDArray[np.float64]:
    """(penalties, k + 1, steps); within limits it works on log((y - low) / (high - y)).

    Source: Taylor & Letham (2018), section 3.1.1, saturating growth.
    """
    if limits is None:
        return decomposable.at_origins(grid, origins, steps, extra, _names(extra))
    low, high = limits
    odds = replace(
        grid,
        y=decomposable.unbounded(grid.y - low, high - low),
        filled=decomposable.unbounded(grid.filled - low, high - low),
    )
    said = decomposable.at_origins(odds, origins, steps, extra, _names(extra))
    bounded: NDArray[np.float64] = low + (high - low) * 0.5 * (1.0 + np.tanh(0.5 * said))
    return bounded


def _where_able(
    ask: Candidate, grid: Grid, origins: NDArray[np.int64], able: NDArray[np.bool_], steps: int
) -> NDArray[np.float64]:
    out = np.full((origins.size, steps), np.nan)
    out[able] = ask(grid, origins[able], steps)
    return out


def _best(every: NDArray[np.float64], actual: NDArray[np.float64]) -> int:
    """Which of the penalties (v, k + 1, h) errs least over the folds (k, h)."""
    distance = np.abs(every[:, :-1] - actual)
    known = np.isfinite(distance)
    total = np.where(known, distance, 0.0).sum(axis=(1, 2))
    return int(total.argmin())


def _names(extra: NDArray[np.float64] | None) -> tuple[str, ...]:
    return () if extra is None else tuple(f"extra {at}" for at in range(extra.shape[1]))
