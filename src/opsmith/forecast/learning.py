"""Hyper-parameters of the Gaussian process: maximum likelihood by its exact gradient.

Seasons and slow levels are learned on hourly means, where weeks of history are a thousand
values; quick levels and noise on the last values as they are. Source: Rasmussen & Williams
(2006), section 5.4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast.covariance import Kernel, blocks_of
from opsmith.forecast.gradient import slopes
from opsmith.forecast.grid import Grid

# Seasons are learned on so many hourly means, six weeks: every weekday is there six times.
HOURS = 1_008
# Quick levels and noise are learned on so many of the last steps.
LATEST = 1_008
# Rounds of L-BFGS: alone on 4 states, together on some 36; more rounds forecast no
# better, and a warm start needs fewer.
ROUNDS_ALONE = 10
ROUNDS_TOGETHER = 15
ROUNDS_AGAIN = 5
FEWEST_SLOTS = 3
# A pattern is first taken to last a week (of the day) and a month (of the week); how long it
# does, from one day to years, is what the likelihood says most about.
DAY_MEMORY_DAYS, WEEK_MEMORY_WEEKS = 7.0, 4.0
LENGTH_SCALE = 0.8
# Each hyper-parameter is sought within a factor of e^5, and no length below half a step: such
# a term is white noise.
REACH, SHORTEST = 5.0, 0.5
# Step in the logarithm for the derivatives of the blocks, where central differences are best.
NUDGE = 1e-5

# Fewer hours than this are learned from value by value.
FEWEST_HOURS = 24
# Places in the vector of hyper-parameters.
SLOW, FAST, NOISE, DAY, WEEK = [0, 1], [2, 3], [4], [5, 6, 7], [8, 9, 10]
PLACES = [SLOW, FAST, NOISE, DAY, WEEK]
LENGTHS = [1, 3, 7, 10]


def learn(
    z: NDArray[np.float64], grid: Grid, *, start: Kernel | None = None, trend: bool = False
) -> Kernel:
    """The kernel of standardised z (n,), the grid's values up to some origin.

    start: a kernel from an earlier fit of the same series, improved in fewer rounds.
    """
    cell = _cell(grid.day)
    if z.size < FEWEST_HOURS * cell:
        cell = 1
    hours = _means(z, cell)[-HOURS:]
    first = _stretched(start, 1.0 / cell) if start else _alone(hours, grid, cell, trend=trend)
    moving = [*SLOW, *FAST, *NOISE]
    moving += [*(DAY if first.day_steps else ()), *(WEEK if first.week_steps else ())]
    rounds = ROUNDS_AGAIN if start else ROUNDS_TOGETHER
    found = _stretched(_climb(hours, first, moving, rounds), cell)
    if cell == 1:
        return found
    rest = z - _cycle(z, grid.day)
    quick = replace(found, day_steps=0, week_steps=0)
    quick = _climb(rest[-LATEST:], quick, [*FAST, *NOISE], ROUNDS_ALONE)
    return replace(found, fast=quick.fast, noise=quick.noise)


def _alone(z: NDArray[np.float64], grid: Grid, cell: int, *, trend: bool) -> Kernel:
    """Start values: seasons from the energy of the mean cycles, the rest by likelihood."""
    day, week = grid.day // cell, grid.week // cell
    kernel = Kernel(
        slow=(0.7, max(4.0, (day or 24) / 2)),
        fast=(0.4, max(2.0, (day or 24) / 24)),
        noise=0.2,
        trend=(1.0, 1.0 / z.size) if trend else (0.0, 0.0),
    )
    by_day = _cycle(z, day)
    by_week = _cycle(z - by_day, week)
    rest = z - by_day - by_week
    found = _climb(rest, kernel, [*SLOW, *FAST, *NOISE], ROUNDS_ALONE)
    if _repeats(z, day):
        size = max(float(by_day.std()), 0.05)
        found = replace(found, day=(size, LENGTH_SCALE, DAY_MEMORY_DAYS * day), day_steps=day)
    if _repeats(z, day) and _repeats(z, week):
        size = max(0.5 * float(by_week.std()), 0.05)
        memory = WEEK_MEMORY_WEEKS * week
        found = replace(found, week=(size, LENGTH_SCALE, memory), week_steps=week)
    return found


def loss_of(
    z: NDArray[np.float64], kernel: Kernel, moving: list[int]
) -> Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]:
    """What is minimised: minus the mean log-likelihood of z (n,), with its gradient.

    It takes the logarithms (m,) of the `moving` hyper-parameters; the rest are the kernel's.
    """

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        model = blocks_of(_moved(kernel, moving, theta))
        likelihood, (by_move, by_spread, by_first, by_noise) = slopes(
            z, model.transition, model.diffusion, model.noise, model.whole_prior()
        )
        out = np.empty(theta.size)
        for row, nudge in enumerate(NUDGE * np.eye(theta.size)):
            more = blocks_of(_moved(kernel, moving, theta + nudge))
            less = blocks_of(_moved(kernel, moving, theta - nudge))
            out[row] = np.sum(by_move * (more.transition - less.transition))
            out[row] += np.sum(by_spread * (more.diffusion - less.diffusion))
            out[row] += np.sum(by_first * (more.prior - less.prior))
            out[row] += by_noise * (more.noise - less.noise)
        return -likelihood / z.size, out / (-2.0 * NUDGE * z.size)

    return loss


def _climb(z: NDArray[np.float64], kernel: Kernel, moving: list[int], rounds: int) -> Kernel:
    """L-BFGS over the logarithms of the `moving` hyper-parameters."""
    from scipy.optimize import minimize  # noqa: PLC0415 - 25 MB that a watcher does not need

    first = np.log(_vector(kernel)[moving])
    least = [np.log(SHORTEST) if place in LENGTHS else -np.inf for place in moving]
    bounds = [
        (min(max(value - REACH, low), value), value + REACH)
        for value, low in zip(first, least, strict=True)
    ]
    best = minimize(
        loss_of(z, kernel, moving),
        first,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": rounds, "ftol": 1e-5},
    )
    return _moved(kernel, moving, best.x)


def _moved(kernel: Kernel, moving: list[int], theta: NDArray[np.float64]) -> Kernel:
    vector = _vector(kernel)
    vector[moving] = np.exp(theta)
    return _with(kernel, vector)


def _vector(kernel: Kernel) -> NDArray[np.float64]:
    return np.array([*kernel.slow, *kernel.fast, kernel.noise, *kernel.day, *kernel.week])


def _with(kernel: Kernel, vector: NDArray[np.float64]) -> Kernel:
    slow, fast, noise, day, week = (vector[places].tolist() for places in PLACES)
    return replace(
        kernel,
        slow=(slow[0], slow[1]),
        fast=(fast[0], fast[1]),
        noise=noise[0],
        day=(day[0], day[1], day[2]),
        week=(week[0], week[1], week[2]),
    )


def _stretched(kernel: Kernel, factor: float) -> Kernel:
    """The same kernel on a grid with `factor` times as many steps in a stretch of time."""
    vector = _vector(kernel)
    vector[LENGTHS] *= factor
    return replace(
        _with(kernel, vector),
        trend=(kernel.trend[0], kernel.trend[1] / factor),
        day_steps=round(kernel.day_steps * factor),
        week_steps=round(kernel.week_steps * factor),
    )


def _cell(day: int) -> int:
    """Steps in an hour, or in the longest part of one that divides the day.

    >>> _cell(288), _cell(24), _cell(0), _cell(206)
    (12, 1, 1, 2)
    """
    return max((size for size in range(1, day // 24 + 1) if day % size == 0), default=1)


def _means(z: NDArray[np.float64], cell: int) -> NDArray[np.float64]:
    """Means (n // cell,) of cells that end with the last value; NaN where one is all gaps."""
    cells = z[z.size % cell :].reshape(-1, cell)
    known = np.isfinite(cells)
    count = known.sum(axis=1)
    total = np.where(known, cells, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _repeats(z: NDArray[np.float64], period: int) -> bool:
    """Whether there are two cycles at least, of more than two slots."""
    return FEWEST_SLOTS <= period <= z.size // 2


def _cycle(z: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """(n,) the mean of each slot of the cycle at its places; zeros where nothing repeats."""
    if not _repeats(z, period):
        return np.zeros(z.size)
    slot = np.arange(z.size) % period
    known = np.isfinite(z)
    count = np.bincount(slot[known], minlength=period)
    total = np.bincount(slot[known], weights=z[known], minlength=period)
    return (total / np.maximum(count, 1))[slot]
