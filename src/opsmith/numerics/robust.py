"""Robust level, spread and change point of many series at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

# 1 / Phi^-1(3/4): makes the median absolute deviation estimate sigma for Gaussian data.
MAD_TO_SIGMA = 1.4826
# Phi^-1(0.99): makes the distance from the median to the 99 % quantile estimate sigma.
TAIL_TO_SIGMA = 2.3263
# Share of the plain standard deviation that counts as spread at least. A series that is flat
# but for bursts has a MAD of zero; its bursts are normal all the same (own measurements).
STD_SHARE = 0.3
# Share of the level that counts as spread at least: two per cent of change is never news.
LEVEL_SHARE = 0.02


def quantile_of_sorted(ordered: Matrix, count: NDArray[np.int64], share: float) -> Vector:
    """Quantile of each row by linear interpolation (Hyndman & Fan 1996, type 7).

    ordered: (k, n), rising along rows, NaN last; count: (k,), how many are not NaN.
    share: 0 to 1. Returns (k,), NaN where a row holds nothing.
    """
    if ordered.shape[1] == 0:
        return np.full(len(ordered), np.nan)
    place = np.maximum(count - 1, 0) * share
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(ordered))
    low, high = ordered[rows, below], ordered[rows, above]
    return np.where(count > 0, low + (high - low) * (place - below), np.nan)


def level_and_spread(values: Matrix, floor: Vector) -> tuple[Vector, Vector]:
    """Median of each row, and a spread that neither flat nor bursty rows can fool.

    The spread is the largest of: the scaled median absolute deviation, `STD_SHARE` of the
    standard deviation, the scaled upper tail, `LEVEL_SHARE` of the level, and the floor.
    values: (k, n) any unit, NaN is a gap; floor: (k,) in the rows' units, above 0.
    Returns (k,) and (k,), both NaN for a row without values.
    Source: Iglewicz & Hoaglin (1993), ch. 3, for the MAD.

    >>> level, spread = level_and_spread(np.array([[1.0, 2.0, 3.0, np.nan]]), np.array([0.1]))
    >>> level.tolist(), spread.round(3).tolist()
    ([2.0], [1.483])
    """
    ordered = np.sort(values, axis=1)
    count = np.count_nonzero(~np.isnan(values), axis=1)
    level = quantile_of_sorted(ordered, count, 0.5)
    distance = np.sort(np.abs(values - level[:, None]), axis=1)
    mad = quantile_of_sorted(distance, count, 0.5)
    tail = quantile_of_sorted(ordered, count, 0.99) - level
    shares = [
        MAD_TO_SIGMA * mad,
        STD_SHARE * deviation(values, count),
        tail / TAIL_TO_SIGMA,
        LEVEL_SHARE * np.abs(level),
        floor,
    ]
    return level, np.where(count > 0, np.fmax.reduce(shares), np.nan)


def deviation(values: Matrix, count: NDArray[np.int64]) -> Vector:
    """Standard deviation of each row about its mean, gaps left out; 0 for an empty row."""
    held = np.maximum(count, 1)
    known = ~np.isnan(values)
    mean = np.sum(values, axis=1, where=known) / held
    square = np.sum((values - mean[:, None]) ** 2, axis=1, where=known) / held
    return np.asarray(np.sqrt(square), dtype=np.float64)


def extreme_levels(values: Matrix) -> tuple[Vector, Vector]:
    """Mean of the two lowest and of the two highest values of each row.

    The maximum alone is too jumpy and the median misses a fault shorter than half the rows.
    values: (k, n), NaN is a gap. Returns (k,) and (k,); a row with one value gives that value,
    a row without values NaN.
    """
    if values.shape[1] == 0:
        nothing = np.full(len(values), np.nan)
        return nothing, nothing
    ordered = np.sort(values, axis=1)
    count = np.count_nonzero(~np.isnan(values), axis=1)
    rows = np.arange(len(values))
    last = np.maximum(count - 1, 0)
    low = (ordered[:, 0] + ordered[rows, np.minimum(1, last)]) / 2.0
    high = (ordered[rows, last] + ordered[rows, np.maximum(last - 1, 0)]) / 2.0
    return low, high


def change_point(values: Matrix) -> tuple[NDArray[np.int64], Vector]:
    """The split of each row into two levels that explains most of it.

    Returns the index of the first value after the split, (k,), -1 where there is none, and
    the share of the row's sum of squares that the split explains, (k,), 0 to 1.
    values: (k, n), NaN is a gap.
    Source: Sen & Srivastava (1975), the least-squares single change of mean.

    >>> split, share = change_point(np.array([[0.0, 0.0, 0.0, 5.0, 5.0]]))
    >>> split.tolist(), share.tolist()
    ([3], [1.0])
    """
    rows, columns = values.shape
    if columns == 0:
        return np.full(rows, -1), np.zeros(rows)
    known = ~np.isnan(values)
    seen = np.cumsum(known, axis=1)
    total = np.maximum(seen[:, -1:], 1)
    centred = np.where(known, values, 0.0)
    mean = centred.sum(axis=1, keepdims=True) / total
    centred = np.where(known, values - mean, 0.0)
    sums = np.cumsum(centred, axis=1)
    after = seen[:, -1:] - seen
    # Between-group sum of squares of a split behind column j, the mean being zero.
    gain = np.where(
        (seen > 0) & (after > 0),
        sums**2 / np.maximum(seen, 1) + sums**2 / np.maximum(after, 1),
        0.0,
    )
    best = np.argmax(gain, axis=1)
    squares = np.sum(centred**2, axis=1)
    explained = np.divide(
        gain[np.arange(rows), best], squares, out=np.zeros(rows), where=squares > 0
    )
    split = np.where(explained > 0, first_known(known, best + 1), -1)
    return split, np.minimum(explained, 1.0)


def first_known(known: NDArray[np.bool_], start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the first true column at or after `start` of each row; the last one if none."""
    columns = np.arange(known.shape[1])
    fits = known & (columns >= start[:, None])
    first = np.where(fits.any(axis=1), np.argmax(fits, axis=1), known.shape[1] - 1)
    return np.asarray(first, dtype=np.int64)


def counter_rates(times_s: Vector, values: Matrix) -> Matrix:
    """Increase per second of counters between consecutive samples; a fall is a restart at 0.

    times_s: (n,) rising; values: (k, n), NaN is a gap. Returns (k, n), the first column NaN;
    a gap makes the two rates that touch it NaN.
    Source: Prometheus, `rate()`: a fall is a counter reset.
    """
    rates = np.full(values.shape, np.nan)
    if values.shape[1] > 1:
        step = np.diff(values, axis=1)
        step = np.where(step < 0, values[:, 1:], step)
        rates[:, 1:] = step / np.maximum(np.diff(times_s), np.finfo(np.float64).tiny)
    return rates


# Tukey (1977) calls a value far out past three spreads beyond the box; the box here is the
# middle nine tenths, so that a pattern of a few per cent of the time stays inside.
FAR_OUT = 3.0


def fenced(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Y with far-out values moved to the fence, three times the 5 to 95 % range beyond it.

    y: (n,) any unit; NaN stays NaN. Where nine tenths are one value there is no fence.
    Source: Tukey (1977), Exploratory Data Analysis, section 2D.

    >>> fenced(np.array([*range(20), 1e6])).max()
    76.0
    """
    low, high = np.nanquantile(y, [0.05, 0.95])
    if not high > low:
        return y
    reach = FAR_OUT * (high - low)
    out: NDArray[np.float64] = np.clip(y, low - reach, high + reach)
    return out
