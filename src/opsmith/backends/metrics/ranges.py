"""Samples around each time of a grid: the newest one, or what a range of them comes to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.series import Series

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# How long a sample speaks for what follows it; Prometheus's --query.lookback-delta.
LOOKBACK_S = 300.0
# A gap of more than this many sample intervals ends a series. Source: Prometheus,
# `extrapolationThreshold` of its query engine.
_ENDS_AFTER = 1.1


def sampled(one: Series, grid_s: Floats, lookback_s: float) -> Floats:
    """(n,) the newest value at or before each time, NaN when it is too old or a gap."""
    row = np.searchsorted(one.times_s, grid_s, side="right") - 1
    kept = np.maximum(row, 0)
    values = one.values[kept]
    speaks = (row >= 0) & (grid_s - one.times_s[kept] < lookback_s)
    return np.where(speaks, values, np.nan)


def over_range(name: str, one: Series, grid_s: Floats, window_s: float) -> Floats:
    """(n,) what function `name` makes of the samples in the window before each time."""
    known = np.isfinite(one.values)
    # Whole milliseconds, as the server keeps times: their differences are then exact.
    times, values = np.rint(one.times_s[known] * 1e3), one.values[known]
    grid, window = np.rint(grid_s * 1e3), window_s * 1e3
    first = np.searchsorted(times, grid - window, side="left").astype(np.int64)
    end = np.searchsorted(times, grid, side="right").astype(np.int64)
    if not times.size:
        return np.full(grid_s.size, np.nan)
    if name.endswith("_over_time"):
        return _over_time(name.removesuffix("_over_time"), values, first, end)
    counts = name != "delta"
    grown = values + np.cumsum(_fallen(values)) if counts else values
    if name == "irate":
        return _instant_rate(times, grown, first, end)
    growth = _extrapolated(times, values, grown, (grid, window), (first, end))
    return growth / window_s if name == "rate" else growth


def _fallen(values: Floats) -> Floats:
    """(n,) at each reset what the counter had before it."""
    before = np.concatenate([values[:1], values[:-1]])
    return np.where(values < before, before, 0.0)


def _over_time(name: str, values: Floats, first: Ints, end: Ints) -> Floats:
    some = end > first
    sums = np.concatenate([[0.0], np.cumsum(values)])
    total: Floats = sums[end] - sums[first]
    number: Floats = (end - first).astype(np.float64)
    if name == "last":
        return np.where(some, values[np.maximum(end - 1, 0)], np.nan)
    if name in ("sum", "count"):
        return np.where(some, total if name == "sum" else number, np.nan)
    if name == "avg":
        return np.where(some, total / np.maximum(number, 1.0), np.nan)
    pick = np.min if name == "min" else np.max
    return np.array(
        [pick(values[a:b]) if b > a else np.nan for a, b in zip(first, end, strict=True)]
    )


def _instant_rate(times: Floats, grown: Floats, first: Ints, end: Ints) -> Floats:
    """Growth a second between the last two samples; times in milliseconds."""
    enough = end - first > 1
    last, before = np.maximum(end - 1, 1), np.maximum(end - 2, 0)
    last, before = np.minimum(last, times.size - 1), np.minimum(before, times.size - 1)
    took = np.where(enough, times[last] - times[before], np.nan)
    rate: Floats = 1e3 * (grown[last] - grown[before]) / took
    return rate


def _extrapolated(
    times: Floats,
    values: Floats,
    grown: Floats,
    window: tuple[Floats, float],
    rows: tuple[Ints, Ints],
) -> Floats:
    """The growth inside the window, carried on to its edges where the series goes on."""
    (grid, width), (first, end) = window, rows
    enough = end - first > 1
    top = times.size - 1
    a, b = np.minimum(first, top), np.clip(end - 1, 0, top)
    growth = grown[b] - grown[a]
    took = np.where(enough, times[b] - times[a], np.nan)
    between = took / np.where(enough, end - first - 1, 1)
    to_start, to_end = times[a] - (grid - width), grid - times[b]
    if grown is not values:  # a counter was not below zero before its first sample
        with np.errstate(divide="ignore", invalid="ignore"):
            to_zero = took * values[a] / growth
        to_start = np.where((growth > 0) & (to_zero < to_start), to_zero, to_start)
    to_start, to_end = (
        np.where(gap < _ENDS_AFTER * between, gap, between / 2) for gap in (to_start, to_end)
    )
    carried: Floats = growth * (took + to_start + to_end) / took
    return carried
