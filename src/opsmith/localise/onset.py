"""Shifts: by how much, and from when on, each series left its fault-free level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.periods import LEAD_S, Periods
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording
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

# Fewer fault-free samples of a series, or spans, than this are no reference.
LEAST_SAMPLES = 4
LEAST_SPANS = 100
# The share of a series' variance that two levels must explain to date an onset, which aspects
# date one, and how far before an own onset its samples belong to neither side at least.
CLEAR_SHARE = 0.6
SPEAKING = frozenset({Aspect.LATENCY, Aspect.ERRORS, Aspect.CPU, Aspect.QUEUE, Aspect.POOL})
OWN_LEAD_S = 15.0
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


def sound_periods(recording: Recording, announced: Periods) -> Periods:
    """The announced periods, or own ones where those leave nothing fault-free to compare with.

    The own onset is the median of the change points of the series of the alerting entities that
    rise to a clearly other level; what precedes it is the reference. Where alarms speak of what
    those series measure, only series of the same are heard: that calls take a little longer does
    not date an alarm for errors.
    Where none of them rises so, it is the earliest moment that the alarm allows and that leaves a
    reference: others may well rise by what follows. Without an alarm all series are heard.
    """
    fault_free = [
        np.count_nonzero(announced.fault_free(times_s)) for _, times_s in by_grid(recording.series)
    ]
    spans = recording.spans
    started = 0 if spans is None else np.count_nonzero(announced.fault_free(spans.start_s))
    if max(fault_free, default=0) >= LEAST_SAMPLES or started >= LEAST_SPANS:
        return announced
    alarmed = announced.alarm_s > announced.start_s
    alarm_s = announced.alarm_s if alarmed else announced.end_s
    # What rose long after the alarm is a cure or a consequence. Not at once after it: two levels
    # laid through a slow rise meet in its middle.
    late_s = alarm_s + LEAD_S
    aspects = frozenset(
        alert.aspect for alert in recording.alerts if alert.entity in recording.alerting
    )
    speaking = aspects & SPEAKING or SPEAKING
    votes = [one for one in change_votes(recording, announced.end_s, speaking) if one[1] <= late_s]
    own = [at_s for entity, at_s in votes if entity in recording.alerting]
    if not (own or (votes and not alarmed)):
        if alarmed and Aspect.ERRORS in speaking:
            announced = replace(announced, alarm_s=first_burst_s(recording, announced.alarm_s))
        return before_the_alarm(recording, announced)
    start_s = float(np.median(own or [at_s for _, at_s in votes]))
    return Periods(
        start_s=start_s,
        end_s=announced.end_s,
        alarm_s=start_s,
        reference=np.empty((0, 2)),
        lead_s=lead_of(recording, start_s),
    )


def lead_of(recording: Recording, start_s: float) -> float:
    """How much before an own onset belongs to neither side, at most `LEAD_S`.

    Users may suffer long after a fault began to work (a cache is lost, then the processor that
    computes anew runs short), so the older half of what was recorded is the reference.
    """
    firsts = [float(times_s[0]) for _, times_s in by_grid(recording.series) if len(times_s)]
    known_s = start_s - min(firsts, default=start_s)
    return min(max(known_s / 2.0, OWN_LEAD_S), LEAD_S)


def first_burst_s(recording: Recording, alarm_s: float) -> float:
    """When those who suffer first failed half as often as they do at worst by the alarm.

    A process that dies, is started and dies again fails its callers in bursts, and an alarm may
    wait for the third. alarm_s when there was no such burst after the first samples.
    """
    bursts: list[tuple[float, float]] = []
    for places, times_s in by_grid(recording.series):
        failing = [place for place in places.tolist() if suffers(recording, place)]
        heard = times_s <= alarm_s
        if not failing or np.count_nonzero(heard) <= LEAST_SAMPLES:
            continue
        values = np.nan_to_num(matrix_of([recording.series[row] for row in failing], times_s))
        values = values[:, heard]
        peak = values.max(axis=1)
        first = np.argmax(values >= peak[:, None] / 2.0, axis=1)
        new = (peak > 0.0) & (first >= LEAST_SAMPLES)
        bursts += zip(peak[new].tolist(), times_s[first[new]].tolist(), strict=True)
    worst = max((peak for peak, _ in bursts), default=0.0)
    return min((at_s for peak, at_s in bursts if peak >= worst / 2.0), default=alarm_s)


def suffers(recording: Recording, place: int) -> bool:
    """Whether a series tells of errors of an alerting entity."""
    one = recording.series[place]
    return one.aspect is Aspect.ERRORS and one.entity in recording.alerting


def before_the_alarm(recording: Recording, announced: Periods) -> Periods:
    """From `LEAD_S` before the alarm on, later where a series has no reference by then.

    The announced periods when no series has samples enough before the alarm.
    """
    known = [
        times_s[LEAST_SAMPLES]
        for _, times_s in by_grid(recording.series)
        if len(times_s) > LEAST_SAMPLES and times_s[LEAST_SAMPLES] <= announced.alarm_s
    ]
    if not known:
        return announced
    return Periods(
        start_s=max(float(min(known)), announced.alarm_s - LEAD_S),
        end_s=announced.end_s,
        alarm_s=announced.alarm_s,
        reference=np.empty((0, 2)),
        lead_s=0.0,
    )


def change_votes(
    recording: Recording, end_s: float, aspects: frozenset[Aspect]
) -> Iterator[tuple[Entity | None, float]]:
    """Owner and change point of every series of these aspects whose rise explains its variance.

    A rise within the first samples leaves no reference: whatever starts then is starting itself.
    """
    series = recording.series
    for places, times_s in by_grid(series):
        seen = times_s < end_s
        for block in range(0, len(places), BLOCK):
            rows = places[block : block + BLOCK]
            values = matrix_of([series[place] for place in rows], times_s)[:, seen]
            split, share = change_point(values)
            for row in np.flatnonzero((split >= LEAST_SAMPLES) & (share >= CLEAR_SHARE)).tolist():
                first, last = values[row, : split[row]], values[row, split[row] :]
                one = series[rows[row]]
                speaks = one.aspect in aspects and not is_granted(one)
                if speaks and np.nanmean(last) > np.nanmean(first):
                    yield one.entity, float(times_s[seen][split[row]])


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
    """The values of series that share their times and kind; counters as rates."""
    values = np.stack([one.values for one in series]).astype(np.float64, copy=False)
    values = np.where(np.isfinite(values), values, np.nan)
    started = np.array([one.aspect is Aspect.RESTARTS for one in series])
    started &= np.fmax.reduce(values, axis=1, initial=0.0) > EARLIEST_START_S
    values[started] = starts_counted(values[started])
    if series[0].kind is MetricKind.COUNTER:
        return counter_rates(times_s, values)
    return values


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
