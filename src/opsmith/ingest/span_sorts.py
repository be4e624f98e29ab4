"""Sorts of spans: what spans of one sender with equal name and attributes share, told once.

Traces repeat themselves: of the spans of a service, nine in ten are equal but for ids and times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.ingest import otlp, sampling
from opsmith.ingest.attribute_sets import AttributeSets, Pairs
from opsmith.ingest.callees import callee
from opsmith.ingest.json_door import fields, items, text
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import SIDES, SpanSide

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
# Spans that differ each time are looked into each time; nothing is kept for more than this.
_MOST_KEPT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sender:
    """Who sent a group of spans. number: tells senders with other resources apart."""

    number: int
    resource: Mapping[str, str]
    owner: Entity
    instance: Entity | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SortColumns:
    """One row a span; the fields are those of `Spans`."""

    entities: tuple[Entity, ...]
    operations: tuple[str, ...]
    attribute_sets: tuple[Pairs, ...]
    entity: NDArray[np.int32]
    operation: NDArray[np.int32]
    failed: NDArray[np.bool_]
    side: NDArray[np.int8]
    weight: NDArray[np.float64]
    attributes: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sort:
    entity: int
    operation: int
    failed: bool
    side: int
    weight: float
    attributes: int


class SpanSorts:
    """Numbers the sorts as spans come; gathers who calls whom on the way."""

    def __init__(self, naming: Naming) -> None:
        self.calls: set[tuple[Entity, Entity]] = set()
        self._naming = naming
        self._senders: dict[bytes, Sender | None] = {}
        self._seen = 0
        self._numbers: dict[bytes, int] = {}
        self._sorts: list[_Sort] = []
        self._sets = AttributeSets()
        self._entities: dict[Entity, int] = {}
        self._operations: dict[str, int] = {}

    def sender(self, attributes: object) -> Sender | None:
        """Whose spans come with these attributes of a resource; None when nobody's."""
        key = otlp.digest(attributes)
        if key is not None and key in self._senders:
            return self._senders[key]
        resource = otlp.attributes(attributes)
        found = otlp.owner(resource, self._naming)
        sender = None
        if found is not None:
            owner, instance = found
            self._seen += 1
            sender = Sender(number=self._seen, resource=resource, owner=owner, instance=instance)
        if key is not None and len(self._senders) < _MOST_KEPT:
            self._senders[key] = sender
        return sender

    def number(self, span: Mapping[str, object], sender: Sender) -> int:
        """The sort of a span."""
        operation = text(span.get("name"))[: otlp.LONGEST_VALUE]
        status = span.get("status")
        erred = isinstance(status, dict) and status.get("code") in _ERROR
        told = (sender.number, operation, erred, span.get("kind"), span.get("attributes"))
        key = otlp.digest((*told, span.get("traceState"), _exceptions(span)))
        number = self._numbers.get(key) if key is not None else None
        if number is None:
            number = len(self._sorts)
            self._sorts.append(self._made(span, sender, operation, erred=erred))
            if key is not None and number < _MOST_KEPT:
                self._numbers[key] = number
        return number

    def columns(self, sorts: NDArray[np.int32]) -> SortColumns:
        """The columns of spans by their sorts, (n,) as `number` gave them."""
        made = self._sorts
        attributes = np.array([one.attributes for one in made], dtype=np.int32)
        attributes, sets = self._sets.finished(attributes)
        return SortColumns(
            entities=tuple(self._entities),
            operations=tuple(self._operations),
            attribute_sets=sets,
            entity=np.array([one.entity for one in made], dtype=np.int32)[sorts],
            operation=np.array([one.operation for one in made], dtype=np.int32)[sorts],
            failed=np.array([one.failed for one in made], dtype=np.bool_)[sorts],
            side=np.array([one.side for one in made], dtype=np.int8)[sorts],
            weight=np.array([one.weight for one in made], dtype=np.float64)[sorts],
            attributes=attributes[sorts],
        )

    def _made(
        self, span: Mapping[str, object], sender: Sender, operation: str, *, erred: bool
    ) -> _Sort:
        owner, resource = sender.owner, sender.resource
        attributes = otlp.attributes(span.get("attributes"))
        side = _side(span.get("kind"))
        failed = erred or _failed(attributes)
        weight = sampling.weight(attributes, resource, text(span.get("traceState")))
        if side is SpanSide.CLIENT or "messaging.system" in attributes:
            called = callee(attributes, self._naming)
            if called is not None and called != owner:
                self.calls.add((owner, called) if side is SpanSide.CLIENT else (called, owner))
                attributes["callee"] = str(called)
        _add_exception(span, attributes)
        for name in ("service.version", "service.instance.id"):
            if name in resource:
                attributes.setdefault(name, resource[name])
        return _Sort(
            entity=self._entities.setdefault(owner, len(self._entities)),
            operation=self._operations.setdefault(operation, len(self._operations)),
            failed=failed,
            side=SIDES.index(side),
            weight=weight,
            attributes=self._sets.number(attributes),
        )


def _exceptions(span: Mapping[str, object]) -> list[object]:
    """The first event of a span in which something was raised; most have none."""
    events = span.get("events")
    return [one for one in items(events) if fields(one).get("name") == "exception"][:1]


def _side(kind: object) -> SpanSide:
    number = _KINDS.get(kind, 0) if isinstance(kind, str) else kind
    return _SIDE.get(number, SpanSide.INTERNAL) if isinstance(number, int) else SpanSide.INTERNAL


def _failed(attributes: Mapping[str, str]) -> bool:
    for key in _HTTP_STATUS:
        if (code := attributes.get(key)) is not None:
            return len(code) == 3 and code.startswith("5")  # noqa: PLR2004 - an HTTP status
    return attributes.get("rpc.grpc.status_code") in _GRPC_FAILED


def _add_exception(span: Mapping[str, object], attributes: dict[str, str]) -> None:
    """The type of the first exception among the span's events, as an attribute."""
    for event in _exceptions(span):
        found = otlp.attributes(fields(event).get("attributes"))
        attributes.setdefault("exception.type", found.get("exception.type", ""))
