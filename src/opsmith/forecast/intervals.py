"""Intervals from what went wrong before: quantiles of the back-test's errors, by lead.

Around each lead the errors of all folds are pooled; half of the answer are their own quantiles,
half those of all leads after dividing by each lead's mean size (one shape, many scales). With k
folds the spread is widened as Student's t with k - 1 degrees of freedom is against the normal.
Kept honest while observations come by adaptive conformal inference (`adapt`).
Sources: Hyndman & Athanasopoulos (3rd ed.), section 5.5; Gibbs & Candes (2021), "Adaptive
conformal inference under distribution shift"; Student (1908).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.forecast import LEVELS, MEDIAN
from opsmith.numerics.student import t_quantile

# Leads within this share of the horizon are pooled: errors there are of one kind.
POOLED_SHARE = 1 / 16
OWN_SHARE = 0.5
# Step of the adaptive correction, in logarithms of the width (Gibbs & Candes 2021, section 4).
RATE = 0.05


def around(
    median: NDArray[np.float64], residuals: NDArray[np.float64], folds: int
) -> NDArray[np.float64]:
    """Quantiles (11, h) at `LEVELS` around a median (h,).

    residuals: (k, h) errors of k folds by lead, NaN where unknown; leads past the longest known
    one get its errors, widened with the root of the lead. folds: how many are independent.
    """
    steps = median.size
    known = np.isfinite(residuals).any(axis=0)
    if not known.any():
        return np.repeat(median[None, :], len(LEVELS), axis=0)
    seen = int(np.flatnonzero(known)[-1]) + 1
    spread = _spread(residuals[:, :seen]) * small_sample(folds)[:, None]
    if seen < steps:
        lead = np.arange(seen + 1, steps + 1)
        spread = np.concatenate([spread, spread[:, -1:] * np.sqrt(lead / seen)], axis=1)
    return np.sort(median + spread, axis=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Factors on the half-widths of the 80 % and 95 % intervals, learned as observations come."""

    width80: float = 1.0
    width95: float = 1.0


def adapt(
    correction: Correction, quantiles: NDArray[np.float64], seen: NDArray[np.float64]
) -> Correction:
    """Feed one or more observations back: a miss widens, a hit narrows.

    quantiles: (11, h) as they were announced, correction included; seen: (h,), NaN is skipped.
    In the long run the 80 % interval misses one in five, the 95 % one in twenty, whatever the
    series does (Gibbs & Candes 2021, proposition 1, on the logarithm of the width).
    """
    width80, width95 = np.log(correction.width80), np.log(correction.width95)
    for row, value in zip(quantiles.T, seen, strict=True):
        if np.isfinite(value):
            width80 += RATE * (float(not row[1] <= value <= row[-2]) - 0.2)
            width95 += RATE * (float(not row[0] <= value <= row[-1]) - 0.05)
    limit = np.log(10.0)
    return replace(
        correction,
        width80=float(np.exp(np.clip(width80, -limit, limit))),
        width95=float(np.exp(np.clip(width95, -limit, limit))),
    )


def corrected(correction: Correction, quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles (11, h) with the learned factors; deciles go with the 80 % interval."""
    factor = np.full(len(LEVELS), correction.width80)
    factor[[0, -1]] = correction.width95
    median = quantiles[MEDIAN]
    out: NDArray[np.float64] = np.sort(median + (quantiles - median) * factor[:, None], axis=0)
    return out


def small_sample(folds: int) -> NDArray[np.float64]:
    """(11,) how much wider Student's t is than the normal; at least two degrees of freedom.

    >>> small_sample(8).round(2).tolist()[:2]
    [1.21, 1.1]
    """
    return np.array(_widths(max(folds - 1, 2)))


@cache
def _widths(freedom: int) -> tuple[float, ...]:
    # any level would do for the median, which is not moved
    levels = [0.6 if at == MEDIAN else level for at, level in enumerate(LEVELS)]
    return tuple(t_quantile(level, freedom) / NormalDist().inv_cdf(level) for level in levels)


def _spread(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """(11, h) quantiles of the errors around each lead, less their median."""
    steps = residuals.shape[1]
    near = max(2, int(steps * POOLED_SHARE))
    padded = np.pad(residuals, ((0, 0), (near, near)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * near + 1, axis=1)
    pooled = np.sort(windows.transpose(1, 0, 2).reshape(steps, -1), axis=1)
    own = _sorted_quantiles(pooled)
    size = _mean_size(pooled)
    shape = np.sort((residuals / np.maximum(size, 1e-300)).ravel())
    common = _sorted_quantiles(shape[None, :])[:, :1] * size
    mixed = OWN_SHARE * own + (1.0 - OWN_SHARE) * common
    spread: NDArray[np.float64] = mixed - mixed[MEDIAN]
    return spread


def _sorted_quantiles(pooled: NDArray[np.float64]) -> NDArray[np.float64]:
    """(11, h) of rows (h, w) sorted with NaN last; linear between order statistics."""
    count = np.isfinite(pooled).sum(axis=1)
    at = np.array(LEVELS)[:, None] * np.maximum(count - 1, 0)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    row = np.arange(pooled.shape[0])
    below, above = pooled[row, low], pooled[row, high]
    found: NDArray[np.float64] = below + (above - below) * (at - low)
    return found


def _mean_size(pooled: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(pooled)
    total = np.where(known, np.abs(pooled), 0.0).sum(axis=1)
    mean: NDArray[np.float64] = total / np.maximum(known.sum(axis=1), 1)
    return mean
