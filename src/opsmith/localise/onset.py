"""Shifts: by how much, and from when on, each series left its fault-free level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.periods import Periods
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.numerics.robust import (
    change_point,
    counter_rates,
    extreme_levels,
    level_and_spread,
)

# Rows worked on at once: 4096 rows of 500 samples are 16 MB, which bounds the memory of a
# hundred thousand series without a loop over single ones.
BLOCK = 4096
# The smallest spread that counts, in the metric's unit: what clocks, rounding and one single
# event more or less change in a healthy system. 500 us is the latency floor of the published
# constants; half a per cent of ratio is one failure in two hundred.
FLOORS: dict[Unit, float] = {
    Unit.SECONDS: 5e-4,
    Unit.RATIO: 5e-3,
    Unit.BYTES: 2.0**20,
    Unit.PER_SECOND: 0.05,
    Unit.BYTES_PER_SECOND: 1024.0,
    Unit.COUNT: 0.5,
    Unit.UNKNOWN: 1e-9,
}
# A gauge of restarts above this (in Unix seconds the year 2001) is a start time, not a count.
EARLIEST_START_S = 1e9
# Nothing is known of an unknown unit, so that the scale must come from the values.
UNKNOWN_SHARE = 0.05

# Words in the name of a series that tells what was granted, not what is used.
GRANTED = frozenset({"spec", "quota", "limit", "limits", "max"})

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shifts:
    """One row a series, in the order of the recording; NaN where nothing can be said.

    before, spread: (n,) fault-free median and robust spread, in the series' unit
        (per second for counters).
    already: (n,) lowest value of the incident before the alarm; NaN when nothing precedes it.
    low, high: (n,) mean of the two lowest and of the two highest values of the incident.
    rise: (n,) how far the series rose, in its unit, at least 0; rise_z: the same in spreads.
        It rose above its fault-free level and above what it was before the alarm: a level that
        has long been high is no news. A single value counts half, as it may be chance.
    onset_s: (n,) Unix seconds of the first sample after the incident's own change point.
    """

    before: Vector
    spread: Vector
    already: Vector
    low: Vector
    high: Vector
    onset_s: Vector
    rise: Vector
    rise_z: Vector


def measure_shifts(series: Sequence[Series], periods: Periods) -> Shifts:
    """Compare every series' incident with its fault-free stretches.

    Series that share their times are worked on as one matrix: linear in series.
    """
    columns = np.full((8, len(series)), np.nan)
    for places, times_s in by_grid(series):
        fault_free, incident = periods.fault_free(times_s), periods.incident(times_s)
        for block in range(0, len(places), BLOCK):
            rows = places[block : block + BLOCK]
            values = matrix_of([series[place] for place in rows], times_s)
            floor = floors([series[place] for place in rows], values)
            before, spread = level_and_spread(values[:, fault_free], floor)
            low, high = extreme_levels(values[:, incident])
            onset_s = onsets(times_s[incident], values[:, incident], before)
            already = lowest(values[:, periods.unalarmed(times_s)])
            seen = np.count_nonzero(~np.isnan(values[:, incident]), axis=1)
            rise = np.maximum(high - np.fmax(before, already), 0.0)
            rise = np.where(seen > 1, rise, rise / 2.0)
            columns[:, rows] = before, spread, already, low, high, onset_s, rise, rise / spread
    return Shifts(**dict(zip(Shifts.__slots__, columns, strict=True)))


def lowest(values: NDArray[np.float64]) -> Vector:
    """Smallest value of each row, NaN for a row without values."""
    padded = np.concatenate([np.full((len(values), 1), np.nan), values], axis=1)
    return np.asarray(np.fmin.reduce(padded, axis=1), dtype=np.float64)


def is_granted(one: Series) -> bool:
    """Whether a series tells how much there may be, not how much there is."""
    return not GRANTED.isdisjoint(one.name.split("_"))


def by_grid(series: Sequence[Series]) -> Iterator[tuple[NDArray[np.int64], Vector]]:
    """Group series that share their times: their places, and the times."""
    groups: dict[tuple[int, bytes], list[int]] = {}
    names: dict[int, tuple[int, bytes]] = {}
    for place, one in enumerate(series):
        # Readers share one array of times between the series of a scrape, so most are known.
        known = names.get(id(one.times_s))
        if known is None:
            known = names[id(one.times_s)] = (
                one.kind is MetricKind.COUNTER,
                one.times_s.tobytes(),
            )
        kind = (int(one.kind is MetricKind.COUNTER), known[1])
        groups.setdefault(kind, []).append(place)
    for places in groups.values():
        yield np.array(places), series[places[0]].times_s


def floors(series: Sequence[Series], values: NDArray[np.float64]) -> Vector:
    """The smallest spread that counts for each row, in its unit."""
    known = np.array([FLOORS[one.unit] for one in series])
    known[[one.aspect is Aspect.RESTARTS for one in series]] = FLOORS[Unit.COUNT]
    unknown = np.array([one.unit is Unit.UNKNOWN for one in series])
    largest = np.fmax.reduce(np.abs(values), axis=1, initial=0.0)
    return np.where(unknown, np.maximum(UNKNOWN_SHARE * largest, known), known)


def matrix_of(series: Sequence[Series], times_s: Vector) -> NDArray[np.float64]:
    """The values of series that share their times and kind; counters as rates.

    Restarts and kills are rare, and it is their number that tells: they are counted instead.
    """
    values = np.stack([one.values for one in series]).astype(np.float64, copy=False)
    values = np.where(np.isfinite(values), values, np.nan)
    started = np.array([one.aspect is Aspect.RESTARTS for one in series])
    started &= np.fmax.reduce(values, axis=1, initial=0.0) > EARLIEST_START_S
    values[started] = starts_counted(values[started])
    if series[0].kind is MetricKind.COUNTER:
        rare = np.array([one.aspect is Aspect.RESTARTS for one in series])
        rates = counter_rates(times_s, values)
        rates[rare] = grown(values[rare])
        return rates
    return values


def grown(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each row of counters has grown since its first sample; a fall is a reset to 0."""
    last = np.maximum.accumulate(
        np.where(np.isfinite(values), np.arange(values.shape[1]), 0), axis=1
    )
    filled = np.take_along_axis(values, last, axis=1)
    step = np.diff(filled, axis=1, prepend=filled[:, :1])
    step = np.nan_to_num(np.where(step < 0.0, filled, step))
    return np.where(np.isfinite(values), np.cumsum(step, axis=1), np.nan)


def starts_counted(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How often each row has begun anew so far, for rows that hold a process's start time."""
    moved = np.diff(values, axis=1, prepend=values[:, :1]) > 1.0
    return np.where(np.isnan(values), np.nan, np.cumsum(moved, axis=1))


def onsets(times_s: Vector, values: NDArray[np.float64], before: Vector) -> Vector:
    """When each row left its fault-free level, Unix seconds; NaN for a row without values.

    The fault-free level is put in front, so that a row that is ill from its first sample on
    has its onset there.
    """
    split, _ = change_point(np.concatenate([before[:, None], values], axis=1))
    seen = (split > 0) & (values.shape[1] > 0)
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    return np.where(seen, times_s[np.maximum(split - 1, 0)], np.nan)
