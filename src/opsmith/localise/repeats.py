"""Repeats: calls made again after they failed, and calls given up while the callee worked.

Source: Bronson et al., "Metastable Failures in Distributed Systems" (HotOS 2021): what sustains
a retry storm is work that its caller no longer waits for.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.periods import Periods
from opsmith.localise.traces import CLIENT, Rows, Traces
from opsmith.nouns.entity import Entity

Mask = NDArray[np.bool_]

# An operation that repeats each call once or more storms, if it did so half as much before.
LEAST_REPEATS = 1.0
GROWN = 2.0
TIME_IS_UP = re.compile("time(d )?-?_?out|deadline", re.IGNORECASE)


def repeats(
    traces: Traces, periods: Periods, names: tuple[Entity, ...], called: Rows
) -> dict[tuple[Entity, Entity], float]:
    """Repeats of each call after a failure, by caller and callee, since the alarm.

    called: (n,) for each client span its callee's place in `names`, -1 for other spans.
    Callers that repeat less than once a call, or hardly more than before, are left out.
    """
    spans = traces.spans
    row = np.flatnonzero((called >= 0) & (traces.parent >= 0))
    order = (spans.start_s[row], called[row], spans.operation[row], traces.parent[row])
    row = row[np.lexsort(order)]
    key = np.stack([traces.parent[row], spans.operation[row], called[row]])
    again = np.zeros(len(row), dtype=np.bool_)
    same = np.all(key[:, 1:] == key[:, :-1], axis=0)
    again[1:] = same & spans.failed[row[:-1]]
    first = np.concatenate([np.ones(min(len(row), 1), dtype=np.bool_), ~same])
    pair = spans.entity[row].astype(np.int64) * len(names) + called[row]
    after = traces.after(periods.alarm_s)[traces.trace[row]]
    before = traces.fault_free[traces.trace[row]]
    found: dict[tuple[Entity, Entity], float] = {}
    for number in np.unique(pair[again & after]).tolist():
        mine = pair == number
        now, then = (
            float(np.sum(again & mine & when)) / max(float(np.sum(first & mine & when)), 1.0)
            for when in (after, before)
        )
        if now >= LEAST_REPEATS and now > GROWN * then:
            caller, callee = divmod(number, len(names))
            found[names[caller], names[callee]] = now
    return found


def given_up(traces: Traces) -> Mask:
    """(n,) failed calls that their caller gave up sooner than it used to.

    The callee was still at work, or the call says itself that its time was up; and a call of the
    kind that took longer had been waited for, so that this patience is new.
    """
    spans = traces.spans
    calls = spans.side == CLIENT
    suspect: Mask = spans.failed & calls & (still_at_work(traces) | out_of_time(traces))
    if not suspect.any():
        return suspect
    _, kind = np.unique(
        spans.entity.astype(np.int64) * len(spans.operations) + spans.operation,
        return_inverse=True,
    )
    served = calls & ~spans.failed & traces.fault_free[traces.trace]
    longest_s = np.zeros(int(kind.max()) + 1)
    np.fmax.at(longest_s, kind[served], spans.duration_s[served])
    return np.asarray(suspect & (spans.duration_s < longest_s[kind]))


def still_at_work(traces: Traces) -> Mask:
    """(n,) calls whose callee did not fail and ended later than they did."""
    spans = traces.spans
    child = np.flatnonzero(traces.crosses & ~spans.failed)
    up = traces.parent[child]
    end_s = spans.start_s + spans.duration_s
    found = np.zeros(len(spans.failed), dtype=np.bool_)
    found[up[end_s[child] > end_s[up]]] = True
    return found


def out_of_time(traces: Traces) -> Mask:
    """(n,) spans whose `error.type` (OpenTelemetry semantic conventions) speaks of time."""
    sets = [
        any(name == "error.type" and TIME_IS_UP.search(value) for name, value in attributes)
        for attributes in traces.spans.attribute_sets
    ]
    return np.array(sets, dtype=np.bool_)[traces.spans.attributes]
