"""Topology: read from its file, learned from spans and metrics, merged; each edge says whence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import orjson

from opsmith.errors import BadInput
from opsmith.ingest.files import document
from opsmith.ingest.json_door import fields, items, text
from opsmith.ingest.losses import Losses
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.signals import Spans
from opsmith.nouns.topology import Edge, EdgeKind, Topology

_KINDS = frozenset(map(str, EdgeKind))


def read(path: Path, losses: Losses) -> Topology:
    """The topology of a `topology.json`; what in it cannot be read is left out and noted."""
    try:
        told: object = orjson.loads(document(path, "topology", losses))
    except orjson.JSONDecodeError as error:
        losses.note("topology", f"{path.name}:{error.lineno}: not JSON ({error.msg}); not used.")
        return Topology()
    if not isinstance(told, dict):
        losses.note("topology", f"{path.name}: not an object with entities and edges; not used.")
        return Topology()
    entities = [
        _entity(value, f"entities[{row}]", path, losses)
        for row, value in enumerate(items(told.get("entities")))
    ]
    edges = [
        _edge(value, f"edges[{row}]", path, losses)
        for row, value in enumerate(items(told.get("edges")))
    ]
    known = {entity for entity in entities if entity is not None}
    kept = [edge for edge in edges if edge is not None]
    if known:
        unknown = {end for edge in kept for end in (edge.source, edge.target)} - known
        what = f"an edge names an entity that is not listed ({min(unknown, default='')}); kept."
        losses.count("topology", path.name, len(unknown), what)
    return merged(known, kept)


def merged(entities: Iterable[Entity], edges: Iterable[Edge]) -> Topology:
    """One topology; of edges that differ in origin alone, the first is kept."""
    kept: dict[tuple[Entity, Entity, EdgeKind], Edge] = {}
    for edge in edges:
        if edge.source != edge.target:
            kept.setdefault((edge.source, edge.target, edge.kind), edge)
    ends = chain.from_iterable((edge.source, edge.target) for edge in kept.values())
    return Topology(
        entities=tuple(sorted({*entities, *ends})),
        edges=tuple(kept[key] for key in sorted(kept)),
    )


def from_spans(
    spans: Spans,
    calls: Iterable[tuple[Entity, Entity]] = (),
    instances: Collection[tuple[Entity, Entity]] = (),
) -> tuple[Edge, ...]:
    """Who called whom: spans and their parents of another entity, and the callees they name.

    instances: pairs of an instance and its service; a service's only one makes no edge.
    """
    grouped = Counter(service for _, service in set(instances))
    child = np.flatnonzero(spans.parent >= 0)
    pairs = np.stack([spans.entity[spans.parent[child]], spans.entity[child]], axis=1)
    found = {
        (spans.entities[caller], spans.entities[callee])
        for caller, callee in np.unique(pairs, axis=0).tolist()
        if caller != callee
    }
    called = [
        Edge(source=caller, target=callee, kind=EdgeKind.CALLS, origin="traces")
        for caller, callee in sorted({*found, *calls})
    ]
    joined = [
        Edge(source=instance, target=service, kind=EdgeKind.INSTANCE_OF, origin="traces")
        for instance, service in sorted(set(instances))
        if instance.kind is EntityKind.INSTANCE and grouped[service] > 1
    ]
    return (*called, *joined)


def _entity(value: object, place: str, path: Path, losses: Losses) -> Entity | None:
    try:
        return Entity.parse(text(value))
    except BadInput as error:
        losses.count("topology", f"{path.name} {place}", 1, str(error))
        return None


def _edge(value: object, place: str, path: Path, losses: Losses) -> Edge | None:
    told = fields(value)
    source = _entity(told.get("source"), place, path, losses)
    target = _entity(told.get("target"), place, path, losses)
    kind = told.get("kind", str(EdgeKind.CALLS))
    if not isinstance(kind, str) or kind not in _KINDS:
        what = f"the kind of an edge is one of {', '.join(EdgeKind)}; dropped."
        losses.count("topology", f"{path.name} {place}", 1, what)
        return None
    if source is None or target is None:
        return None
    return Edge(source=source, target=target, kind=EdgeKind(kind), origin="file")
