"""The rolling-origin back-test: every candidate forecasts the past it has not seen.

Source: Tashman (2000), "Out-of-sample tests of forecasting accuracy"; the blend by inverse error
is Bates & Granger (1969) with a higher power, the choice by standard errors is Breiman et al.
(1984), section 3.4.3, with two of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast.grid import Grid

MOST_FOLDS = 8
# Weights fall with the sixth power of the fold error: a candidate that errs by a third more
# than the best gets a sixth of its weight.
POWER = 6.0
# A candidate replaces the preferred one when it is better by so many standard errors: eight folds
# are few, and the best of a dozen candidates on eight folds is often a lucky one.
SURE = 2.0
# Errors of nothing at all would put all weight on one candidate for ever.
FLOOR = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folds:
    """What the candidates said at each origin and what came.

    names: (c,); forecasts: (c, k + 1, h), the last origin is now, NaN where a candidate is mute;
    actual: (k, h), NaN where nothing was observed (or the history ends).
    """

    names: tuple[str, ...]
    forecasts: NDArray[np.float64]
    actual: NDArray[np.float64]

    def errors(self) -> NDArray[np.float64]:
        """(c, k) mean absolute error of each candidate on each fold, NaN where mute."""
        distance = np.abs(self.forecasts[:, :-1] - self.actual)
        known = np.isfinite(distance)
        total = np.where(known, distance, 0.0).sum(axis=2)
        count = known.sum(axis=2)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def origins_for(grid: Grid, steps: int) -> NDArray[np.int64]:
    """Where to forecast from, rising; the last is the end of the history.

    Folds lie whole days back, so that they meet the clock hours that the forecast will; where
    the history is too short for that they are spread over its second half.
    """
    n, day = grid.y.size, grid.day
    if day:
        back = day * (-(-steps // day) - 1 + np.arange(MOST_FOLDS, 0, -1))
        folds = n - back[n - back >= max(2 * day, n // 3)]
        if folds.size >= 3:  # noqa: PLR2004 - a spread wants three
            return np.append(folds, n)
    last = n - max(1, min(steps, n // 4))
    folds = np.unique(np.linspace(max(1, n // 2), last, MOST_FOLDS).astype(np.int64))
    return np.append(folds, n)


def independent(origins: NDArray[np.int64], steps: int) -> int:
    """How many of the folds do not overlap, which is what their errors are worth; at least 1."""
    folds = origins[:-1]
    if not folds.size:
        return 1
    return int(folds[-1] - folds[0]) // steps + 1


def actual_at(grid: Grid, origins: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """(k, steps) what came after each origin but the last; NaN past the end of the history."""
    out = np.full((origins.size - 1, steps), np.nan)
    for row, origin in enumerate(origins[:-1]):
        came = grid.y[origin : origin + steps]
        out[row, : came.size] = came
    return out


def complete(errors: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """(c, k) fold errors in units of `scale`, with the holes closed.

    A candidate that was mute on a fold is given that fold's median error times its own mean
    ratio to the medians elsewhere, so that easy and hard folds count alike for all.
    """
    relative = errors / scale + FLOOR
    reference = np.array([np.median(fold[np.isfinite(fold)]) for fold in relative.T])
    out = relative.copy()
    for row, own in enumerate(relative):
        known = np.isfinite(own)
        ratio = np.exp(np.mean(np.log(own[known] / reference[known]))) if known.any() else 2.0
        out[row, ~known] = ratio * reference[~known]
    return out


def weights(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(c,) shares of the blend from complete errors (c, k); they sum to 1.

    >>> weights(np.array([[1.0, 1.0], [2.0, 2.0]])).round(3).tolist()
    [0.985, 0.015]
    """
    mean = errors.mean(axis=1)
    raw = (mean / mean.min()) ** -POWER
    shares: NDArray[np.float64] = raw / raw.sum()
    return shares


def choose(errors: NDArray[np.float64], preferred: int | None) -> int:
    """The candidate to pick, by index: the best, unless `preferred` is within two standard errors.

    errors: complete, (c, k). The standard error is that of the paired differences.
    """
    best = int(errors.mean(axis=1).argmin())
    folds = errors.shape[1]
    if preferred is None or folds < 2:  # noqa: PLR2004 - one fold has no spread
        return best
    behind = errors[preferred] - errors[best]
    tolerance = SURE * float(behind.std(ddof=1)) / np.sqrt(folds)
    return preferred if float(behind.mean()) <= tolerance else best


def blend(forecasts: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(h,) weighted mean of forecasts (c, h); mute candidates (NaN) leave theirs to the rest."""
    share = np.where(np.isfinite(forecasts), shares[:, None], 0.0)
    total = share.sum(axis=0)
    mixed = (share * np.where(share > 0, forecasts, 0.0)).sum(axis=0)
    return np.where(total > 0, mixed / np.where(total > 0, total, 1.0), np.nan)


def blend_residuals(folds: Folds, errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k, h) errors of the blend on each fold, weighed by the other folds only."""
    count = errors.shape[1]
    out = np.full_like(folds.actual, np.nan)
    for fold in range(count):
        others = np.arange(count) != fold if count > 1 else np.ones(1, dtype=bool)
        shares = weights(errors[:, others])
        out[fold] = folds.actual[fold] - blend(folds.forecasts[:, fold], shares)
    return out
