"""Repeats: calls made again after they failed, and calls given up while the callee worked.

Source: Bronson et al., "Metastable Failures in Distributed Systems" (HotOS 2021): what sustains
a retry storm is work that its caller no longer waits for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.periods import Periods
from opsmith.localise.traces import CLIENT, Rows, Traces
from opsmith.nouns.entity import Entity

Mask = NDArray[np.bool_]

# An operation that repeats each call once or more storms, if it did so half as much before.
LEAST_REPEATS = 1.0
GROWN = 2.0


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
    """(n,) failed calls that their caller gave up sooner than they usually take.

    The callee saw the call, did not fail, and was still at work: it is the caller's impatience.
    """
    spans = traces.spans
    child = np.flatnonzero(traces.crosses & ~spans.failed)
    up = traces.parent[child]
    end_s = spans.start_s + spans.duration_s
    worked_on = np.zeros(len(spans.failed), dtype=np.bool_)
    worked_on[up[end_s[child] > end_s[up]]] = True
    suspect: Mask = spans.failed & (spans.side == CLIENT) & worked_on
    if not suspect.any():
        return suspect
    kind = spans.entity.astype(np.int64) * len(spans.operations) + spans.operation
    healthy = (spans.side == CLIENT) & ~spans.failed & traces.fault_free[traces.trace]
    for number in np.unique(kind[suspect]).tolist():
        usual = spans.duration_s[healthy & (kind == number)]
        mine = suspect & (kind == number)
        known = len(usual) > 0
        suspect[mine] = spans.duration_s[mine] < np.nanmedian(usual) if known else False
    return suspect
