"""The Gaussian process, in state-space form: exact, with O(n) work.

    k(t) = s1^2 M(t / l1) + s2^2 M(t / l2)                          slow and fast, Matern 3/2
         + sd^2 P(t; day, ld) exp(-|t| / td)                        a day that slowly changes
         + sw^2 P(t; week, lw) exp(-|t| / tw) [+ trend: a^2 + b^2 t t'] + noise

P is the periodic kernel exp(-2 sin^2(pi t / period) / l^2), as its Fourier series. Each Matern
term is a block of two states, each harmonic another; `kalman` does the rest.
Sources: Hartikainen & Sarkka (2010), "Kalman filtering and smoothing solutions to temporal
Gaussian process regression models", section 4.1; Solin & Sarkka (2014), "Explicit link between
periodic covariance functions and state space models", equations 27 and 33; Rasmussen & Williams
(2006), chapters 2, 4 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast import kalman
from opsmith.forecast.grid import Grid

# Harmonics kept of a day and a week: enough for kernels whose length scale is 0.6 or more.
DAY_HARMONICS = 6
WEEK_HARMONICS = 4
# Hyper-parameters are learned on the last week of five-minute samples: longer histories move
# them little and cost in proportion (the state itself is filtered over the whole history).
LEARN_ON = 2_016
ROUNDS_ALONE = 40
ROUNDS_TOGETHER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """Hyper-parameters; deviations in the unit of y, times in steps, periods 0 for none.

    slow, fast: deviation and length of the Matern 3/2 terms. day, week: deviation, length scale
    (no unit) and memory (steps) of the periodic ones. noise: deviation of the white noise.
    trend: deviations of level and slope a step, (0, 0) for none.
    """

    slow: tuple[float, float]
    fast: tuple[float, float]
    day: tuple[float, float, float] = (0.0, 1.0, np.inf)
    week: tuple[float, float, float] = (0.0, 1.0, np.inf)
    noise: float = 0.1
    trend: tuple[float, float] = (0.0, 0.0)
    day_steps: int = 0
    week_steps: int = 0
    harmonics: tuple[int, int] = (DAY_HARMONICS, WEEK_HARMONICS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """A kernel as a state-space model.

    transition, diffusion, prior: (B, 2, 2); noise: variance; names: (B,) the part of each block.
    """

    transition: NDArray[np.float64]
    diffusion: NDArray[np.float64]
    prior: NDArray[np.float64]
    noise: float
    names: tuple[str, ...]

    def whole_prior(self) -> NDArray[np.float64]:
        """(J, J) block-diagonal covariance before the first sample."""
        out = np.zeros((2 * len(self.names), 2 * len(self.names)))
        for b, block in enumerate(self.prior):
            out[2 * b : 2 * b + 2, 2 * b : 2 * b + 2] = block
        return out


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
    centre, spread, z = _standardised(grid)
    found = learn(z[-LEARN_ON:], grid, start=start, trend=trend)
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
    centre, spread, z = _standardised(grid)
    first = int(origins[0])
    found = learn(z[max(0, first - LEARN_ON) : first], grid)
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


def blocks_of(kernel: Kernel) -> Blocks:
    """The state-space form of a kernel."""
    found: list[tuple[str, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]] = []
    for name, (deviation, length) in (("level", kernel.slow), ("level", kernel.fast)):
        found.append((name, *_matern(deviation, length)))
    seasons = (
        ("day", kernel.day, kernel.day_steps, kernel.harmonics[0]),
        ("week", kernel.week, kernel.week_steps, kernel.harmonics[1]),
    )
    for name, season, period, harmonics in seasons:
        if period:
            found += [(name, *block) for block in _periodic(season, period, harmonics)]
    if any(kernel.trend):
        prior = np.diag(np.square(kernel.trend))
        found.append(("trend", np.array([[1.0, 1.0], [0.0, 1.0]]), np.zeros((2, 2)), prior))
    return Blocks(
        transition=np.stack([block[1] for block in found]),
        diffusion=np.stack([block[2] for block in found]),
        prior=np.stack([block[3] for block in found]),
        noise=kernel.noise**2,
        names=tuple(block[0] for block in found),
    )


def learn(
    z: NDArray[np.float64], grid: Grid, *, start: Kernel | None = None, trend: bool = False
) -> Kernel:
    """Maximum likelihood of standardised z (n,) by L-BFGS over the logarithms.

    First the two Matern terms and the noise on what the mean day leaves (4 states, cheap), then
    all together from there for a few rounds; the periodic terms start at the energy of the mean
    day. From `start` only the second.
    """
    kernel = start or _alone(z, grid, trend=trend)
    return _climb(z, kernel, ROUNDS_TOGETHER)


def _alone(z: NDArray[np.float64], grid: Grid, *, trend: bool) -> Kernel:
    """Start values: seasons from their energy, the rest by likelihood without them."""
    kernel = Kernel(
        slow=(0.7, float(max(4, (grid.day or 24) // 2))),
        fast=(0.4, float(max(2, (grid.day or 24) // 24))),
        noise=0.2,
        trend=(1.0, 1.0 / z.size) if trend else (0.0, 0.0),
    )
    rest, seasons = z, kernel
    day = _mean_cycle(z, grid.day)
    if day is not None:
        rest = rest - day[np.arange(z.size) % grid.day]
        seasons = replace(
            seasons, day=(max(float(day.std()), 0.05), 0.8, 30.0 * grid.day), day_steps=grid.day
        )
    if day is not None and (week := _mean_cycle(rest, grid.week)) is not None:
        rest = rest - week[np.arange(z.size) % grid.week]
        deviation = max(0.5 * float(week.std()), 0.05)
        seasons = replace(seasons, week=(deviation, 0.8, 20.0 * grid.week), week_steps=grid.week)
    found = _climb(rest, kernel, ROUNDS_ALONE)
    return replace(seasons, slow=found.slow, fast=found.fast, noise=found.noise)


def _climb(z: NDArray[np.float64], kernel: Kernel, rounds: int) -> Kernel:
    """L-BFGS over the logs of the positive hyper-parameters, gradient by forward differences."""
    from scipy.optimize import minimize  # noqa: PLC0415 - 25 MB that a watcher does not need

    stops = np.array([z.size])
    first = np.log(_free(kernel))

    def loss(theta: NDArray[np.float64]) -> float:
        return -filtered(z, blocks_of(_with(kernel, np.exp(theta))), stops)[0] / z.size

    bounds = [(value - 5.0, value + 5.0) for value in first]
    options = {"maxiter": rounds, "ftol": 1e-4}
    best = minimize(loss, first, method="L-BFGS-B", bounds=bounds, options=options)
    return _with(kernel, np.exp(best.x))


def _free(kernel: Kernel) -> NDArray[np.float64]:
    seasons = [*(kernel.day[:2] if kernel.day_steps else ())]
    seasons += [*(kernel.week[:2] if kernel.week_steps else ())]
    return np.array([*kernel.slow, *kernel.fast, kernel.noise, *seasons])


def _with(kernel: Kernel, free: NDArray[np.float64]) -> Kernel:
    values = [float(value) for value in free]
    kernel = replace(
        kernel,
        slow=(values[0], values[1]),
        fast=(values[2], values[3]),
        noise=max(values[4], 1e-4),
    )
    if kernel.day_steps:
        kernel = replace(kernel, day=(values[5], values[6], kernel.day[2]))
    if kernel.week_steps:
        kernel = replace(kernel, week=(values[-2], values[-1], kernel.week[2]))
    return kernel


def _matern(
    deviation: float, length: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Transition, diffusion and stationary prior of a Matern 3/2 term over one step."""
    rate = np.sqrt(3.0) / length
    transition = np.exp(-rate) * np.array([[1.0 + rate, 1.0], [-(rate**2), 1.0 - rate]])
    prior = deviation**2 * np.diag([1.0, rate**2])
    return transition, prior - transition @ prior @ transition.T, prior


def _periodic(
    season: tuple[float, float, float], period: int, harmonics: int
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """A block a harmonic, the constant first; each forgets with the season's memory."""
    from scipy.special import ive  # noqa: PLC0415 - 28 MB that a watcher does not need

    deviation, length, memory = season
    kept = np.exp(-1.0 / memory)
    weight = ive(np.arange(min(harmonics, (period - 1) // 2) + 1), length**-2)
    weight[1:] *= 2.0
    out = []
    for order, share in enumerate(weight):
        angle = 2.0 * np.pi * order / period
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        prior = deviation**2 * float(share) * np.eye(2)
        out.append((kept * turn, (1.0 - kept**2) * prior, prior))
    return out


def _mean_cycle(z: NDArray[np.float64], period: int) -> NDArray[np.float64] | None:
    """(period,) mean of each slot over at least two cycles; None when there are fewer."""
    cycles = z.size // period if period > 2 else 0  # noqa: PLR2004 - two slots make no wave
    if cycles < 2:  # noqa: PLR2004 - one cycle shows no repetition
        return None
    slot = np.arange(z.size) % period
    known = np.isfinite(z)
    count = np.bincount(slot[known], minlength=period)
    total = np.bincount(slot[known], weights=z[known], minlength=period)
    return total / np.maximum(count, 1)


def _standardised(grid: Grid) -> tuple[float, float, NDArray[np.float64]]:
    centre = float(np.nanmean(grid.y))
    spread = float(np.nanstd(grid.y)) or 1.0
    return centre, spread, (grid.y - centre) / spread
