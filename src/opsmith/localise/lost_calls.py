"""Lost calls: calls that failed though the callee did not, and what above them they explain."""

from __future__ import annotations

import numpy as np

from opsmith.localise.gaps import named_callees, to_queues
from opsmith.localise.repeats import given_up
from opsmith.localise.rise import NOISE_G, Side, compare
from opsmith.localise.traces import CLIENT, Mask, Rows, Traces, Vector, refused
from opsmith.nouns.entity import Entity


def called_by(traces: Traces) -> tuple[tuple[Entity, ...], Rows]:
    """All entities, and for each client span the number of its callee, -1 for other spans.

    The callee is the foreign child's entity, or the one that the attributes name; the latter
    where that is a queue, out of which the child only took its message.
    """
    names, called = named_callees(traces)
    child = np.flatnonzero(traces.crosses)
    seen = np.full(len(called), -1, dtype=np.int64)
    seen[traces.parent[child]] = traces.spans.entity[child]
    client = traces.spans.side == CLIENT
    told = (seen < 0) | to_queues(names, called)
    return names, np.where(client, np.where(told, called, seen), -1)


def begun(traces: Traces) -> tuple[tuple[Entity, ...], Rows, Mask]:
    """All entities; (n,) the callee of each call by its number, else -1; (n,) who failed first.

    A failed span without a failed child is where a failure began. A client span among them lost
    its call; one that the caller's own pool refused, or the caller gave up, is no call here.
    A call that ran out of time began with the last call that was waited for then.
    """
    spans = traces.spans
    names, called = called_by(traces)
    callee = np.where(refused(traces) | given_up(traces), -1, called)
    late = late_spans(traces, spans.failed & (callee >= 0))
    broken = spans.failed | late
    below = broken_below(traces, broken)
    # Who answers late and waits for nobody is as much the way to it as it is itself.
    last = late & ~spans.failed & (spans.side != CLIENT) & (below == 0)
    below -= broken_below(traces, last)
    began: Mask = broken & (below == 0) & ~last
    return names, callee, began


def broken_below(traces: Traces, broken: Mask) -> Rows:
    """(n,) how many children of each span are of those."""
    return np.bincount(traces.parent[broken & (traces.parent >= 0)], minlength=len(broken))


def late_spans(traces: Traces, ended: Mask) -> Mask:
    """(n,) what was still at work, below one of the `ended` calls, when that call ended."""
    spans, parent = traces.spans, traces.parent
    end_s = spans.start_s + np.nan_to_num(spans.duration_s)
    due_s = np.where(ended, end_s, np.nan)
    late = np.zeros(len(parent), dtype=np.bool_)
    above = ended
    while above.any():
        row = np.flatnonzero((parent >= 0) & above[parent] & ~late)
        limit_s = due_s[parent[row]]
        working = (spans.start_s[row] < limit_s) & (end_s[row] > limit_s)
        row, limit_s = row[working], limit_s[working]
        late[row], due_s[row] = True, limit_s
        above = np.zeros(len(parent), dtype=np.bool_)
        above[row] = True
    return late


def lost_since(traces: Traces, onset_s: float) -> Vector:
    """(n,) Unix seconds of the first call lost at or below a span since the onset, inf for none.

    Only calls between two that lose more of them than before count.
    """
    names, callee, began = begun(traces)
    spans = traces.spans
    call = np.flatnonzero(callee >= 0)
    lost = began[call]
    edge = spans.entity[call].astype(np.int64) * len(names) + callee[call]
    _, edge = np.unique(edge, return_inverse=True)
    rising = edges_that_lose_more(traces, edge, call, lost, onset_s)
    rows = call[lost & rising[edge] & traces.after(onset_s)[traces.trace[call]]]
    first_s = np.full(len(spans.failed), np.inf)
    here, at_s = rows, spans.start_s[rows]
    while len(here):
        later = at_s >= first_s[here]
        here, at_s = here[~later], at_s[~later]
        np.minimum.at(first_s, here, at_s)
        here = traces.parent[here]
        here, at_s = here[here >= 0], at_s[here >= 0]
    return first_s


def edges_that_lose_more(
    traces: Traces, edge: Rows, call: Rows, lost: Mask, onset_s: float
) -> Mask:
    """(edges,) whose share of traces with a lost call rose by more than noise."""
    count, size = int(edge.max(initial=-1)) + 1, len(traces.began_s)
    ran = np.unique(edge * size + traces.trace[call])
    hit = np.unique((edge * size + traces.trace[call])[lost])
    k0, n0, k1, n1 = (
        side.count(rows // size, rows % size, count)
        for side in (
            Side.of(traces, traces.before(onset_s)),
            Side.of(traces, traces.after(onset_s)),
        )
        for rows in (hit, ran)
    )
    g, _ = compare(k0, n0, k1, n1)
    return np.asarray(g > NOISE_G)
