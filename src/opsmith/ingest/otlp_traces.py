"""Traces: OTLP/JSON lines become columns of spans, parents resolved, callees named."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsmith.ingest import otlp
from opsmith.ingest.json_door import fields, items, text
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.ingest.span_sorts import Sender, SpanSorts
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import Spans

_UNPLAUSIBLE_NS = 2**63
_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traces:
    """Spans with what their source tells beside them.

    rows: the row of a span by its trace and span id, for the log lines that name one.
    instances: service and instance of each resource; calls: who called which callee.
    """

    spans: Spans
    rows: Mapping[tuple[str, str], int]
    instances: frozenset[tuple[Entity, Entity]]
    calls: frozenset[tuple[Entity, Entity]]


def read(path: Path, naming: Naming, losses: Losses) -> Traces | None:
    """All spans of a file of OTLP/JSON lines (or its `.gz`); None when there is none."""
    columns = _Columns(naming)
    for number, request in otlp.requests(path, "traces", losses):
        if not columns.take(request):
            losses.line("traces", path.name, number, 'no "resourceSpans" in it; dropped.')
    columns.tell(path.name, losses)
    return columns.traces(path.name, losses) if columns.start_ns else None


class _Columns:
    """Columns that grow span by span."""

    def __init__(self, naming: Naming) -> None:
        self._sorts = SpanSorts(naming)
        self._traces: dict[str, int] = {}
        self._rows: dict[tuple[str, str], int] = {}
        self._instances: set[tuple[Entity, Entity]] = set()
        self._parents: list[tuple[str, str] | None] = []
        self._lost = {"nameless": 0, "ownerless": 0, "doubled": 0, "backwards": 0}
        self.start_ns = array("q")
        self._duration_s = array("d")
        self._trace = array("q")
        self._sort = array("i")

    def take(self, request: Mapping[str, object]) -> bool:
        """Take the spans of one export request; False when it is none."""
        if "resourceSpans" not in request and "resource_spans" not in request:
            return False
        for sent in items(request.get("resourceSpans") or request.get("resource_spans")):
            group = fields(sent)
            sender = self._sorts.sender(fields(group.get("resource")).get("attributes"))
            if sender and sender.instance:
                self._instances.add((sender.instance, sender.owner))
            for scope in items(group.get("scopeSpans") or group.get("scope_spans")):
                for span in items(fields(scope).get("spans")):
                    self._take_span(fields(span), sender)
        return True

    def _take_span(self, span: Mapping[str, object], sender: Sender | None) -> None:
        trace = text(span.get("traceId"))
        key = (trace, text(span.get("spanId")))
        start = otlp.integer(span.get("startTimeUnixNano"))
        row = len(self.start_ns)
        if sender is None:
            self._lost["ownerless"] += 1
        elif not trace or not key[1] or start is None or not 0 < start < _UNPLAUSIBLE_NS:
            self._lost["nameless"] += 1
        elif self._rows.setdefault(key, row) != row:
            self._lost["doubled"] += 1
        else:
            above = text(span.get("parentSpanId"))
            self._parents.append((trace, above) if above and above != key[1] else None)
            self._trace.append(self._traces.setdefault(trace, len(self._traces)))
            self.start_ns.append(start)
            end = otlp.integer(span.get("endTimeUnixNano"))
            self._duration_s.append(self._duration(start, end))
            self._sort.append(self._sorts.number(span, sender))

    def _duration(self, start: int, end: int | None) -> float:
        if not end:
            return _NAN
        if end < start:
            self._lost["backwards"] += 1
            return _NAN
        return (end - start) / 1e9

    def tell(self, file: str, losses: Losses) -> None:
        """Note what could not be used."""
        lost = self._lost
        losses.count("traces", file, lost["nameless"], "a span without ids or start; dropped.")
        losses.count("traces", file, lost["ownerless"], "a span of nobody: no service.name.")
        losses.count("traces", file, lost["doubled"], "a span seen twice; the first counts.")
        losses.count("clock", file, lost["backwards"], "a span that ends before it starts.")

    def traces(self, file: str, losses: Losses) -> Traces:
        """What was gathered."""
        parent = self._parent_rows(file, losses)
        told = self._sorts.columns(np.array(self._sort, dtype=np.int32))
        spans = Spans(
            entities=told.entities,
            operations=told.operations,
            attribute_sets=told.attribute_sets,
            trace=np.array(self._trace, dtype=np.int64),
            parent=parent,
            entity=told.entity,
            operation=told.operation,
            start_s=np.array(self.start_ns, dtype=np.int64) / 1e9,
            duration_s=np.array(self._duration_s, dtype=np.float64),
            failed=told.failed,
            side=told.side,
            weight=told.weight,
            attributes=told.attributes,
            trace_ids=tuple(self._traces),
        )
        return Traces(
            spans=spans,
            rows=self._rows,
            instances=frozenset(self._instances),
            calls=frozenset(self._sorts.calls),
        )

    def _parent_rows(self, file: str, losses: Losses) -> NDArray[np.int64]:
        rows = self._rows
        found = [-1 if above is None else rows.get(above, -1) for above in self._parents]
        parent = np.array(found, dtype=np.int64)
        named = np.array([above is not None for above in self._parents], dtype=np.bool_)
        orphans = int((named & (parent < 0)).sum())
        losses.count("traces", file, orphans, "a span whose parent was not recorded; a root.")
        circling = in_circles(parent)
        losses.count(
            "traces", file, int(circling.sum()), "a span among its own ancestors; a root."
        )
        parent[circling] = -1
        return parent


def in_circles(parent: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The rows whose line of ancestors never ends. parent: (n,) row or -1; returns (n,).

    Pointer doubling: after k rounds each row points 2^k ancestors up, so log2(n) rounds suffice.
    """
    ancestor = parent.copy()
    for _ in range(max(parent.size, 1).bit_length()):
        alive = ancestor >= 0
        if not alive.any():
            break
        ancestor[alive] = ancestor[ancestor[alive]]
    return np.asarray(ancestor >= 0)
