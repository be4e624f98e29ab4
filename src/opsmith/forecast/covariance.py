"""The covariance of the Gaussian process, and the state-space model that it is.

    k(t) = s1^2 M(t / l1) + s2^2 M(t / l2)                          slow and fast, Matern 3/2
         + sd^2 P(t; day, ld) exp(-|t| / td)                        a day that slowly changes
         + sw^2 P(t; week, lw) exp(-|t| / tw) [+ trend: a^2 + b^2 t t'] + noise

P is the periodic kernel exp(-2 sin^2(pi t / period) / l^2), as its Fourier series. Each Matern
term is a block of two states, each harmonic another.
Sources: Hartikainen & Sarkka (2010), section 4.1; Solin & Sarkka (2014), "Explicit link between
periodic covariance functions and state space models", equations 27 and 33.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Harmonics kept of a day and a week: enough for kernels whose length scale is 0.6 or more; of
# the week the eighth is the first that a day's own cannot say (a weekend unlike a workday).
DAY_HARMONICS = 6
WEEK_HARMONICS = 8


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


def blocks_of(kernel: Kernel) -> Blocks:
    """The state-space form of a kernel."""
    found = [("level", _matern(*kernel.slow)), ("level", _matern(*kernel.fast))]
    seasons = (
        ("day", kernel.day, kernel.day_steps, kernel.harmonics[0]),
        ("week", kernel.week, kernel.week_steps, kernel.harmonics[1]),
    )
    found += [
        (name, _periodic(season, period, harmonics))
        for name, season, period, harmonics in seasons
        if period
    ]
    if any(kernel.trend):
        prior = np.diag(np.square(kernel.trend))[None]
        found.append(("trend", (np.array([[[1.0, 1.0], [0.0, 1.0]]]), 0.0 * prior, prior)))
    transition, diffusion, prior = (
        np.concatenate([block[part] for _, block in found]) for part in range(3)
    )
    return Blocks(
        transition=transition,
        diffusion=diffusion,
        prior=prior,
        noise=kernel.noise**2,
        names=tuple(name for name, block in found for _ in block[0]),
    )


Block = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _matern(deviation: float, length: float) -> Block:
    """Transition, diffusion and stationary prior (1, 2, 2) of a Matern 3/2 term over one step."""
    rate = np.sqrt(3.0) / length
    transition = np.exp(-rate) * np.array([[1.0 + rate, 1.0], [-(rate**2), 1.0 - rate]])
    prior = deviation**2 * np.diag([1.0, rate**2])
    return transition[None], (prior - transition @ prior @ transition.T)[None], prior[None]


def _periodic(season: tuple[float, float, float], period: int, harmonics: int) -> Block:
    """A block a harmonic (B, 2, 2), the constant first; each forgets with the season's memory."""
    from scipy.special import ive  # noqa: PLC0415 - 28 MB that a watcher does not need

    deviation, length, memory = season
    order = np.arange(min(harmonics, (period - 1) // 2) + 1)
    share = ive(order, length**-2)
    share[1:] *= 2.0
    angle = 2.0 * np.pi * order / period
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    prior = deviation**2 * share[:, None, None] * np.eye(2)
    kept = np.exp(-1.0 / memory)
    return kept * turn.transpose(2, 0, 1), -np.expm1(-2.0 / memory) * prior, prior
