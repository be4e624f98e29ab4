"""Dating: when an incident began, where next to nothing fault-free was recorded before it.

Source: Sen & Srivastava (1975), On tests for detecting change in mean, for the change points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from opsmith.localise.onset import BLOCK, by_grid, is_granted, matrix_of
from opsmith.localise.periods import LEAD_S, Periods
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording
from opsmith.nouns.series import Aspect
from opsmith.numerics.robust import change_point

# Fewer fault-free samples of a series, or spans, than this are no reference.
LEAST_SAMPLES = 4
LEAST_SPANS = 100
# The share of a series' variance that two levels must explain to date an onset, which aspects
# date one, and how far before an own onset its samples belong to neither side at least.
CLEAR_SHARE = 0.6
SPEAKING = frozenset({Aspect.LATENCY, Aspect.ERRORS, Aspect.CPU, Aspect.QUEUE, Aspect.POOL})
OWN_LEAD_S = 15.0


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
