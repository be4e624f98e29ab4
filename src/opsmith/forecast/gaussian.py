"""The Gaussian process, in state-space form: exact, with O(n) work.

`covariance` says what it is made of, `learning` finds its hyper-parameters, `kalman` does the
rest.
Sources: Hartikainen & Sarkka (2010), "Kalman filtering and smoothing solutions to temporal
Gaussian process regression models", section 4; Rasmussen & Williams (2006), chapters 2 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast import kalman
from opsmith.forecast.covariance import Blocks, Kernel, blocks_of
from opsmith.forecast.grid import Grid
from opsmith.forecast.learning import learn
from opsmith.numerics.robust import fenced


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Process:
    """A fitted process: its kernel and the state after each stop, on the scale of z.

    centre, spread: y = centre + spread * z. likelihood: log-density of z.
    means: (k, J); covariances: (k, J, J).
    """

    kernel: Kernel
    blocks: Blocks
    centre: float
    spread: float
    likelihood: float
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]


def fit(grid: Grid, *, start: Kernel | None = None, trend: bool = False) -> Process:
    """Learn the hyper-parameters by maximum likelihood, then filter the whole history.

    start: a kernel from an earlier fit of the same series (warm start).
    """
    grid = replace(grid, y=fenced(grid.y))
    centre, spread = _scale(grid.y)
    found = learn((grid.y - centre) / spread, grid, start=start, trend=trend)
    return condition(grid, found, (centre, spread), np.array([grid.y.size]))


def condition(
    grid: Grid, kernel: Kernel, scale: tuple[float, float], stops: NDArray[np.int64]
) -> Process:
    """Filter (y - centre) / spread with a given kernel; keeps the state at each of `stops`.

    scale: (centre, spread); stops: (k,) rising, at most n.
    """
    blocks = blocks_of(kernel)
    z = (grid.y - scale[0]) / scale[1]
    likelihood, means, covariances = filtered(z, blocks, stops)
    return Process(
        kernel=kernel,
        blocks=blocks,
        centre=scale[0],
        spread=scale[1],
        likelihood=likelihood,
        means=means,
        covariances=covariances,
    )


def predict(
    process: Process, steps: int, stop: int = -1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (steps,) of the next observations, noise included."""
    model = process.blocks
    means, variances = kalman.ahead(
        process.means[stop], process.covariances[stop], model.transition, model.diffusion, steps
    )
    deviation = process.spread * np.sqrt(variances + model.noise)
    return process.centre + process.spread * means.sum(axis=1), deviation


def parts(process: Process, steps: int) -> dict[str, NDArray[np.float64]]:
    """What each part of the kernel adds to the forecast, (steps,) each; `trend` has the level."""
    model = process.blocks
    means, _ = kalman.ahead(
        process.means[-1], process.covariances[-1], model.transition, model.diffusion, steps
    )
    out = {"trend": np.full(steps, process.centre)}
    for b, name in enumerate(model.names):
        out[name] = out.get(name, np.zeros(steps)) + process.spread * means[:, b]
    return out


def smoothed(grid: Grid, process: Process) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (n,) of the noise-free process given the whole history."""
    model = process.blocks
    z = (grid.y - process.centre) / process.spread
    means, variances = kalman.smooth(
        z, model.transition, model.diffusion, model.noise, model.whole_prior()
    )
    deviation = process.spread * np.sqrt(np.maximum(variances, 0.0))
    return process.centre + process.spread * means.sum(axis=1), deviation


def at_origins(grid: Grid, origins: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """(k, steps) means from every origin; hyper-parameters learned before the first of them."""
    grid = replace(grid, y=fenced(grid.y))
    known = grid.y[: int(origins[0])]
    centre, spread = _scale(known)
    found = learn((known - centre) / spread, grid)
    process = condition(grid, found, (centre, spread), origins)
    return np.stack([predict(process, steps, stop)[0] for stop in range(origins.size)])


def filtered(
    z: NDArray[np.float64], blocks: Blocks, stops: NDArray[np.int64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Log-likelihood of z up to the last stop, and means (k, J), covariances (k, J, J)."""
    states = 2 * len(blocks.names)
    state = (np.zeros(states), blocks.whole_prior(), np.zeros(states))
    memo = np.array([1.0, 0.0])
    means, covariances = np.empty((stops.size, states)), np.empty((stops.size, states, states))
    likelihood, done = 0.0, 0
    for row, stop in enumerate(stops):
        likelihood += kalman.stretch(
            z[done:stop], blocks.transition, blocks.diffusion, blocks.noise, state, memo
        )
        means[row], covariances[row], done = state[0], state[1], int(stop)
    return likelihood, means, covariances


def _scale(y: NDArray[np.float64]) -> tuple[float, float]:
    return float(np.nanmean(y)), float(np.nanstd(y)) or 1.0
