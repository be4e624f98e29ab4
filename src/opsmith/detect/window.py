"""The last 60 values of a series: running sums, sorted order and the features they give.

Everything is kept up to date in O(window) byte moves; nothing is recomputed but the sums, now
and then, so that no rounding adds up.
"""

from __future__ import annotations

import math

from opsmith.detect.state import (
    PIVOT,
    SEEN,
    SQUARES,
    SUM,
    WINDOW,
    Bytes,
    Floats,
)
from opsmith.numerics.compiled import kernel

# The running sums are made anew from the ring every so many points.
REFRESH = 4096
# ... and at once when the mean lies so many deviations from the pivot, or a value leaves that
# was so many deviations away: its square took the small digits of the sum with it.
FAR = 1e4

FEATURES = (
    "sum_values",
    "median",
    "mean",
    "length",
    "standard_deviation",
    "variance",
    "root_mean_square",
    "maximum",
    "absolute_maximum",
    "minimum",
)


@kernel
def push(scalars: Floats, ring: Floats, order: Bytes, value: float) -> None:
    """Take one value in and the oldest out.

    scalars: (SCALARS,), ring, order: (WINDOW,), all of one series, changed in place.
    """
    seen = int(scalars[SEEN])
    slot = seen % WINDOW
    filled = min(seen, WINDOW)
    left = 0.0
    if seen == 0:
        scalars[PIVOT] = value
    if filled == WINDOW:
        left = ring[slot] - scalars[PIVOT]
        _take_out(order, slot)
        filled -= 1
    ring[slot] = value
    _put_in(ring, order, slot, filled)
    come = value - scalars[PIVOT]
    scalars[SUM] += come - left
    scalars[SQUARES] += come * come - left * left
    scalars[SEEN] = seen + 1.0
    if _worn(scalars, left, filled + 1) or (seen + 1) % REFRESH == 0:
        refresh(scalars, ring, order, filled + 1)


@kernel
def _worn(scalars: Floats, left: float, count: int) -> bool:
    """Whether the running sums may have lost digits."""
    mean = scalars[SUM] / count
    squares = scalars[SQUARES] / count
    spread = squares - mean * mean
    return bool(0.0 < squares > FAR * spread or left * left > FAR * max(squares, 0.0))


@kernel
def refresh(scalars: Floats, ring: Floats, order: Bytes, count: int) -> None:
    """Make the sums anew about the window's median, from its `count` values."""
    pivot = ring[order[count // 2]]
    total, squares = 0.0, 0.0
    for i in range(count):
        away = ring[i] - pivot
        total += away
        squares += away * away
    scalars[PIVOT] = pivot
    scalars[SUM] = total
    scalars[SQUARES] = squares


@kernel
def _take_out(order: Bytes, slot: int) -> None:
    place = 0
    while order[place] != slot:
        place += 1
    for i in range(place, WINDOW - 1):
        order[i] = order[i + 1]


@kernel
def _put_in(ring: Floats, order: Bytes, slot: int, filled: int) -> None:
    value = ring[slot]
    low, high = 0, filled
    while low < high:
        middle = (low + high) // 2
        if ring[order[middle]] < value:
            low = middle + 1
        else:
            high = middle
    for i in range(filled, low, -1):
        order[i] = order[i - 1]
    order[low] = slot


@kernel
def mean_of(scalars: Floats) -> float:
    """The window's mean."""
    count = min(scalars[SEEN], float(WINDOW))
    return float(scalars[PIVOT] + scalars[SUM] / count)


@kernel
def variance_of(scalars: Floats) -> float:
    """The window's variance (divided by n, as tsfresh does), never negative."""
    count = min(scalars[SEEN], float(WINDOW))
    mean = scalars[SUM] / count
    return max(0.0, float(scalars[SQUARES] / count - mean * mean))


@kernel
def median_of(scalars: Floats, ring: Floats, order: Bytes) -> float:
    """The window's median."""
    count = int(min(scalars[SEEN], float(WINDOW)))
    upper = ring[order[count // 2]]
    if count % 2 == 1:
        return float(upper)
    lower = ring[order[count // 2 - 1]]
    return float(lower + (upper - lower) / 2.0)


@kernel
def features(scalars: Floats, ring: Floats, order: Bytes, out: Floats) -> None:
    """The ten features of tsfresh's MinimalFCParameters, in the order of `FEATURES`.

    out: (10,), filled in. Source: tsfresh.feature_extraction.settings.MinimalFCParameters.
    """
    count = int(min(scalars[SEEN], float(WINDOW)))
    mean, variance = mean_of(scalars), variance_of(scalars)
    low, high = ring[order[0]], ring[order[count - 1]]
    out[0] = mean * count
    out[1] = median_of(scalars, ring, order)
    out[2] = mean
    out[3] = count
    out[4] = math.sqrt(variance)
    out[5] = variance
    out[6] = math.sqrt(variance + mean * mean)
    out[7] = high
    out[8] = max(abs(low), abs(high))
    out[9] = low


@kernel
def recent(ring: Floats, seen: int, count: int) -> tuple[float, float]:
    """Mean and standard deviation (divided by n) of the last `count` values of the ring.

    `count` is at most WINDOW and at most `seen`. One pass about the last value, which lies near.
    """
    place = (seen - 1) % WINDOW
    last = ring[place]
    total, squares = 0.0, 0.0
    for _ in range(count):
        away = ring[place] - last
        total += away
        squares += away * away
        place = place - 1 if place > 0 else WINDOW - 1
    mean = total / count
    return last + mean, math.sqrt(max(0.0, squares / count - mean * mean))
