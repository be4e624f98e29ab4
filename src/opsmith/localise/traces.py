"""Traces: spans with what their place in the trace tells, computed once for all channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.periods import Periods
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import SIDES, Spans, SpanSide

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Vector = NDArray[np.float64]

CLIENT = SIDES.index(SpanSide.CLIENT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traces:
    """Columns beside `spans`; row i of every array is span i.

    parent: (n,) row of the parent, -1 for none or for a parent that is not there.
    crosses: (n,) bool, the parent was executed by another entity.
    children: (n,) how many children; crossing: (n,) how many of them another entity executed.
    inside_s: (n,) float64, seconds spent in children, as far as they finished.
    trace: (n,) numbers from 0 without gaps; began_s: (traces,) start of a trace's first span.
    weight: (traces,) how many traces each one stands for, above 0.
    fault_free: (traces,) bool.
    """

    spans: Spans
    parent: Rows
    crosses: Mask
    children: Rows
    crossing: Rows
    inside_s: Vector
    trace: Rows
    began_s: Vector
    weight: Vector
    fault_free: Mask
    in_incident: Mask

    def before(self, onset_s: float) -> Mask:
        """(traces,) the reference of an onset: fault-free traces and those just before it."""
        return self.fault_free | (self.in_incident & (self.began_s < onset_s))

    def after(self, onset_s: float) -> Mask:
        """(traces,) the incident's traces from an onset on."""
        return self.in_incident & (self.began_s >= onset_s) & ~self.fault_free

    def calls(self) -> set[tuple[Entity, Entity]]:
        """Every caller and callee that some trace shows."""
        child = np.flatnonzero(self.crosses)
        entity = self.spans.entity
        pairs = np.unique(np.stack([entity[self.parent[child]], entity[child]]), axis=1).T
        names = self.spans.entities
        return {(names[caller], names[callee]) for caller, callee in pairs.tolist()}


def refused(traces: Traces) -> Mask:
    """(n,) which spans carry an attribute that says that a pool was exhausted."""
    sets = [
        any(
            "pool" in name and "exhausted" in name and value.lower() in {"true", "1"}
            for name, value in attributes
        )
        for attributes in traces.spans.attribute_sets
    ]
    return np.array(sets, dtype=np.bool_)[traces.spans.attributes]


def read_traces(spans: Spans, periods: Periods) -> Traces:
    """Work out families, traces and their periods."""
    count = len(spans.trace)
    parent = np.where((spans.parent >= 0) & (spans.parent < count), spans.parent, -1)
    parent = np.where(parent == np.arange(count), -1, parent)
    has = parent >= 0
    crosses = has & (spans.entity[parent] != spans.entity) if count else has
    up = parent[has]
    duration_s = np.nan_to_num(spans.duration_s[has], nan=0.0)
    _, trace = np.unique(spans.trace, return_inverse=True)
    number = int(trace.max()) + 1 if count else 0
    began_s = np.full(number, np.inf)
    np.minimum.at(began_s, trace, spans.start_s)
    weight = np.zeros(number)
    np.maximum.at(weight, trace, spans.weight)
    return Traces(
        spans=spans,
        parent=parent,
        crosses=crosses,
        children=np.bincount(up, minlength=count),
        crossing=np.bincount(parent[crosses], minlength=count),
        inside_s=np.bincount(up, weights=duration_s, minlength=count).astype(np.float64),
        trace=trace,
        began_s=began_s,
        weight=weight,
        fault_free=periods.fault_free(began_s),
        in_incident=periods.incident(began_s),
    )
