"""Event pairs: consecutive events inside a span that the incident made new.

Each span is one sequence in order of time: its start, its own log lines, the starts of its
child spans, its end; a run of one event counts once. An early return or an exception always
makes a new pair (the last event before the fault and the end, or an error's template), so only
increases count, and the pair belongs to the operation that executed it. Conditioning on the
operation removes all that happens less often only because something upstream changed.

Source: the idea of pairs across log and trace events is Nezha's (Yu et al., FSE 2023,
section 3); pairs per executed operation, counted in traces and weighed by novelty, are our own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.traces import CLIENT, Traces
from opsmith.nouns.signals import Logs

Rows = NDArray[np.int64]
Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Event codes: marks first, then log templates, then starts of child spans.
START, END, FAILED_END, FIRST_FREE = 0, 1, 2, 3
# OpenTelemetry log data model: severity numbers 1 to 4 are one level, 5 to 8 the next.
LEVEL = 4
# Weights are inverses of rates; equal ones differ by no more than this.
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """Events inside spans, one row each, in no order.

    span: (m,) row of the span; at_s: (m,) Unix seconds; code: (m,) event code.
    children: (c, 2) entity and operation that the codes after the templates start.
    templates: how many log templates have a code.
    """

    span: Rows
    at_s: Vector
    code: Rows
    children: Rows
    templates: int

    @property
    def codes(self) -> int:
        """How many event codes there are."""
        return FIRST_FREE + self.templates + len(self.children)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Occurrences of pairs, one row a pair and trace.

    pair: (m,) number of the pair; trace: (m,); span: (m,) the earliest span that shows it;
    at_s: (m,) when, Unix seconds.
    first, second: (pairs,) event codes; operation: (pairs,) number of the operation.
    ran_operation, ran_trace: (r,) in which traces each operation ran.
    owner, called: (operations,) number of its entity and of its name.
    """

    events: Events
    pair: Rows
    trace: Rows
    span: Rows
    at_s: Vector
    first: Rows
    second: Rows
    operation: Rows
    ran_operation: Rows
    ran_trace: Rows
    owner: Rows
    called: Rows


def read_events(traces: Traces, logs: Logs | None) -> Events:
    """Every event that is neither a start nor an end: child spans, and log lines."""
    spans = traces.spans
    child = np.flatnonzero(traces.parent >= 0)
    kinds, number = np.unique(operation_of(traces)[child], return_inverse=True)
    span, at_s = [traces.parent[child]], [spans.start_s[child]]
    codes, templates = [number + FIRST_FREE], 0
    if logs is not None and comparable(traces, logs):
        line = np.flatnonzero(inside(traces, logs))
        templates = len(logs.templates)
        span.append(logs.span[line])
        at_s.append(logs.at_s[line])
        codes = [
            number + FIRST_FREE + templates,
            logs.template[line].astype(np.int64) + FIRST_FREE,
        ]
    return Events(
        span=np.concatenate(span),
        at_s=np.concatenate(at_s),
        code=np.concatenate(codes).astype(np.int64),
        children=np.stack(np.divmod(kinds, len(spans.operations)), axis=1),
        templates=templates,
    )


def operation_of(traces: Traces) -> Rows:
    """A number for each span's entity and operation name together."""
    spans = traces.spans
    return spans.entity.astype(np.int64) * len(spans.operations) + spans.operation


def inside(traces: Traces, logs: Logs) -> Mask:
    """Which lines belong to a recorded span and come of a stream that traces show whole.

    Where lines of an entity and level were left out of traces that were kept, as a line that
    stands for more than its trace does says, an absence of such lines tells nothing.
    """
    found: Mask = (logs.span >= 0) & (logs.span < len(traces.parent))
    level = (logs.severity.astype(np.int64) - 1) // LEVEL
    _, stream = np.unique(np.stack([logs.entity, level]), axis=1, return_inverse=True)
    trace = traces.trace[logs.span[found]]
    thinner = logs.weight[found] > (1.0 + ROUNDING) * traces.weight[trace]
    partly = np.unique(stream.ravel()[found][thinner])
    return found & ~np.isin(stream.ravel(), partly)


def comparable(traces: Traces, logs: Logs) -> bool:
    """Whether both periods have lines inside spans; else every line would look new, or gone."""
    trace = traces.trace[logs.span[inside(traces, logs)]]
    return bool(traces.fault_free[trace].any() and traces.in_incident[trace].any())


def read_pairs(traces: Traces, logs: Logs | None) -> Pairs:
    """Every consecutive pair of events, counted once a trace and operation.

    O(e log e) in events. Events at the same moment are ordered by code, so that the order of
    the input does not matter.
    """
    events = read_events(traces, logs)
    span, at_s, code = in_sequence(events)
    leads = np.ones(len(span), dtype=np.bool_)
    leads[1:] = span[1:] != span[:-1]
    trails = np.ones(len(span), dtype=np.bool_)
    trails[:-1] = leads[1:]
    spans = traces.spans
    last = np.full(len(traces.parent), START, dtype=np.int64)
    last[span[trails]] = code[trails]
    steps = Steps(
        span=np.concatenate([span, np.arange(len(last))]),
        at_s=np.concatenate([at_s, spans.start_s + np.nan_to_num(spans.duration_s)]),
        first=np.concatenate([np.where(leads, START, np.roll(code, 1)), last]),
        second=np.concatenate([code, np.where(spans.failed, FAILED_END, END)]),
    )
    return counted(traces, events, executed(steps, spans.side != CLIENT))


def executed(steps: Steps, own: Mask) -> Steps:
    """The steps inside spans of `own`: a client span is a call, and its end is the callee's."""
    kept = own[steps.span]
    return Steps(
        span=steps.span[kept],
        at_s=steps.at_s[kept],
        first=steps.first[kept],
        second=steps.second[kept],
    )


def in_sequence(events: Events) -> tuple[Rows, Vector, Rows]:
    """Span, time and code in order of time inside each span, runs of one event collapsed."""
    order = np.lexsort((events.code, events.at_s, events.span))
    span, at_s, code = events.span[order], events.at_s[order], events.code[order]
    fresh = np.ones(len(span), dtype=np.bool_)
    fresh[1:] = (span[1:] != span[:-1]) | (code[1:] != code[:-1])
    return span[fresh], at_s[fresh], code[fresh]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """Consecutive events: (s,) span, time of the second, and both codes."""

    span: Rows
    at_s: Vector
    first: Rows
    second: Rows


def counted(traces: Traces, events: Events, steps: Steps) -> Pairs:
    """Fold steps to one occurrence a pair and trace, the earliest."""
    known, operation = np.unique(operation_of(traces), return_inverse=True)
    codes, count = events.codes, len(traces.began_s)
    key = (operation[steps.span] * codes + steps.first) * codes + steps.second
    keys, pair = np.unique(key, return_inverse=True)
    trace = traces.trace[steps.span]
    order = np.lexsort((steps.span, steps.at_s, pair * count + trace))
    _, earliest = np.unique((pair * count + trace)[order], return_index=True)
    kept = order[earliest]
    ran = np.unique(operation * count + traces.trace)
    owner, called = np.divmod(known, len(traces.spans.operations))
    return Pairs(
        events=events,
        pair=pair[kept],
        trace=trace[kept],
        span=steps.span[kept],
        at_s=steps.at_s[kept],
        first=keys // codes % codes,
        second=keys % codes,
        operation=keys // codes // codes,
        ran_operation=ran // count,
        ran_trace=ran % count,
        owner=owner,
        called=called,
    )
