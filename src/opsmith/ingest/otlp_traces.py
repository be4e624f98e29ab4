"""Traces: OTLP/JSON lines become columns of spans, parents resolved, callees named."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsmith.ingest import otlp, sampling
from opsmith.ingest.attribute_sets import AttributeSets
from opsmith.ingest.callees import callee
from opsmith.ingest.json_door import fields, items, text
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import SIDES, Spans, SpanSide

# Which side a span kind is on: a producer calls the queue, a consumer is called by it.
_SIDE = {
    1: SpanSide.INTERNAL,
    2: SpanSide.SERVER,
    3: SpanSide.CLIENT,
    4: SpanSide.CLIENT,
    5: SpanSide.SERVER,
}
_KINDS = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(
        ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
    )
}
_ERROR = (2, "STATUS_CODE_ERROR")
_HTTP_STATUS = ("http.response.status_code", "http.status_code")
# gRPC codes that OpenTelemetry's semantic conventions count as errors of the server.
_GRPC_FAILED = frozenset({"2", "4", "12", "13", "14", "15"})
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
        self._naming = naming
        self._sets = AttributeSets()
        self._traces: dict[str, int] = {}
        self._entities: dict[Entity, int] = {}
        self._operations: dict[str, int] = {}
        self._rows: dict[tuple[str, str], int] = {}
        self._instances: set[tuple[Entity, Entity]] = set()
        self._calls: set[tuple[Entity, Entity]] = set()
        self._parents: list[tuple[str, str] | None] = []
        self._lost = {"nameless": 0, "ownerless": 0, "doubled": 0, "backwards": 0}
        self.start_ns = array("q")
        self._duration_s = array("d")
        self._trace = array("q")
        self._entity = array("i")
        self._operation = array("i")
        self._failed = array("b")
        self._side = array("b")
        self._weight = array("d")
        self._attributes = array("i")

    def take(self, request: Mapping[str, object]) -> bool:
        """Take the spans of one export request; False when it is none."""
        if "resourceSpans" not in request and "resource_spans" not in request:
            return False
        for sent in items(request.get("resourceSpans") or request.get("resource_spans")):
            group = fields(sent)
            resource = otlp.attributes(fields(group.get("resource")).get("attributes"))
            owner = otlp.owner(resource, self._naming)
            if owner and owner[1]:
                self._instances.add((owner[1], owner[0]))
            for scope in items(group.get("scopeSpans") or group.get("scope_spans")):
                for span in items(fields(scope).get("spans")):
                    self._take_span(fields(span), resource, owner[0] if owner else None)
        return True

    def _take_span(
        self, span: Mapping[str, object], resource: Mapping[str, str], owner: Entity | None
    ) -> None:
        key = (text(span.get("traceId")), text(span.get("spanId")))
        start = otlp.integer(span.get("startTimeUnixNano"))
        if owner is None:
            self._lost["ownerless"] += 1
        elif not key[0] or not key[1] or start is None or not 0 < start < _UNPLAUSIBLE_NS:
            self._lost["nameless"] += 1
        elif key in self._rows:
            self._lost["doubled"] += 1
        else:
            self._rows[key] = len(self.start_ns)
            above = text(span.get("parentSpanId"))
            self._parents.append((key[0], above) if above and above != key[1] else None)
            self._trace.append(self._traces.setdefault(key[0], len(self._traces)))
            self._append(span, resource, owner, start)

    def _append(
        self, span: Mapping[str, object], resource: Mapping[str, str], owner: Entity, start: int
    ) -> None:
        attributes = otlp.attributes(span.get("attributes"))
        side = _side(span.get("kind"))
        self.start_ns.append(start)
        self._duration_s.append(self._duration(start, otlp.integer(span.get("endTimeUnixNano"))))
        self._entity.append(self._entities.setdefault(owner, len(self._entities)))
        operation = text(span.get("name"))[: otlp.LONGEST_VALUE]
        self._operation.append(self._operations.setdefault(operation, len(self._operations)))
        self._failed.append(_failed(span, attributes))
        self._side.append(SIDES.index(side))
        self._weight.append(sampling.weight(attributes, resource, text(span.get("traceState"))))
        if side is SpanSide.CLIENT or "messaging.system" in attributes:
            called = callee(attributes, self._naming)
            if called is not None and called != owner:
                ends = (owner, called) if side is SpanSide.CLIENT else (called, owner)
                self._calls.add(ends)
                attributes["callee"] = str(called)
        _add_exception(span, attributes)
        for name in ("service.version", "service.instance.id"):
            if name in resource:
                attributes.setdefault(name, resource[name])
        self._attributes.append(self._sets.number(attributes))

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
        numbers, sets = self._sets.finished(np.array(self._attributes, dtype=np.int32))
        spans = Spans(
            entities=tuple(self._entities),
            operations=tuple(self._operations),
            attribute_sets=sets,
            trace=np.array(self._trace, dtype=np.int64),
            parent=parent,
            entity=np.array(self._entity, dtype=np.int32),
            operation=np.array(self._operation, dtype=np.int32),
            start_s=np.array(self.start_ns, dtype=np.int64) / 1e9,
            duration_s=np.array(self._duration_s, dtype=np.float64),
            failed=np.array(self._failed, dtype=np.bool_),
            side=np.array(self._side, dtype=np.int8),
            weight=np.array(self._weight, dtype=np.float64),
            attributes=numbers,
        )
        return Traces(
            spans=spans,
            rows=self._rows,
            instances=frozenset(self._instances),
            calls=frozenset(self._calls),
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


def _side(kind: object) -> SpanSide:
    number = _KINDS.get(kind, 0) if isinstance(kind, str) else kind
    return _SIDE.get(number, SpanSide.INTERNAL) if isinstance(number, int) else SpanSide.INTERNAL


def _failed(span: Mapping[str, object], attributes: Mapping[str, str]) -> bool:
    status = span.get("status")
    if isinstance(status, dict) and status.get("code") in _ERROR:
        return True
    for key in _HTTP_STATUS:
        if (code := attributes.get(key)) is not None:
            return len(code) == 3 and code.startswith("5")  # noqa: PLR2004 - an HTTP status
    return attributes.get("rpc.grpc.status_code") in _GRPC_FAILED


def _add_exception(span: Mapping[str, object], attributes: dict[str, str]) -> None:
    """The type of the first exception among the span's events, as an attribute."""
    for event in items(span.get("events")):
        told = fields(event)
        if told.get("name") == "exception":
            found = otlp.attributes(told.get("attributes"))
            attributes.setdefault("exception.type", found.get("exception.type", ""))
            return
