"""Scene: which entities and edges the drawing shows, before they have a place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from opsmith.nouns.diagnosis import Cause, Diagnosis
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.topology import Edge, EdgeKind, Topology

# More boxes than this cannot be read at once, on paper or on a screen.
MOST_NODES = 32
_KIND_ORDER = {kind: row for row, kind in enumerate(EntityKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is drawn. No entity in it is an edge: those are lines.

    path: cause first. lit: pairs of neighbours on the path, in either order.
    ranks: the best rank of each candidate; blamed: the lines that are candidates themselves.
    left_out: how many entities of the topology are not drawn.
    """

    entities: tuple[Entity, ...]
    edges: tuple[Edge, ...]
    path: tuple[Entity, ...]
    lit: frozenset[tuple[Entity, Entity]]
    ranks: Mapping[Entity, int]
    blamed: Mapping[tuple[Entity, Entity], int]
    alerting: frozenset[Entity]
    left_out: int


def scene(diagnosis: Diagnosis, topology: Topology, causes: tuple[Cause, ...]) -> Scene:
    """Choose what to draw: who calls whom, and when that is much, what lies nearest to the path.

    Where something runs or what it belongs to is drawn only between those that are spoken of.
    """
    way = diagnosis.path.entities if diagnosis.path else ()
    known = _known(topology, [*way, *diagnosis.alerting, *(cause.entity for cause in causes)])
    names = _names(known)
    path = _unfolded(way, names)
    alerting = _unfolded(diagnosis.alerting, names)
    candidates = {cause.entity: rank for rank, cause in reversed([*enumerate(causes, 1)])}
    blamed = {_ends(e, names): rank for e, rank in candidates.items() if e.ends}
    edges = _edges(topology, [*((caller, callee) for callee, caller in pairwise(path)), *blamed])
    focus = dict.fromkeys([*path, *_unfolded(candidates, names), *alerting])
    edges = tuple(e for e in edges if e.kind is EdgeKind.CALLS or {e.source, e.target} <= {*focus})
    everyone = dict.fromkeys([*focus, *(end for e in edges for end in (e.source, e.target))])
    kept = _nearest(tuple(everyone), edges, focus=tuple(focus))
    return Scene(
        entities=kept,
        edges=tuple(e for e in edges if e.source in kept and e.target in kept),
        path=path,
        lit=frozenset(step for a, b in pairwise(path) for step in ((a, b), (b, a))),
        ranks={entity: rank for entity, rank in candidates.items() if not entity.ends},
        blamed=blamed,
        alerting=frozenset(alerting),
        left_out=len({*known, *everyone}) - len(kept),
    )


def _names(known: Iterable[Entity]) -> dict[str, Entity]:
    """Whom an edge `a->b` speaks of: the entity of that name, a service before a host."""
    ordered = sorted(known, key=lambda entity: (_KIND_ORDER[entity.kind], entity.name))
    return {entity.name: entity for entity in reversed(ordered)}


def _known(topology: Topology, spoken: Iterable[Entity]) -> set[Entity]:
    ends = (end for e in topology.edges for end in (e.source, e.target))
    known = {*topology.entities, *ends, *spoken}
    return {entity for entity in known if entity.kind is not EntityKind.EDGE}


def _ends(entity: Entity, names: Mapping[str, Entity]) -> tuple[Entity, Entity]:
    """Caller and callee of an edge."""
    caller, callee = entity.ends or (entity.name, entity.name)
    return (
        names.get(caller) or Entity.service(caller or "?"),
        names.get(callee) or Entity.service(callee or "?"),
    )


def _unfolded(entities: Iterable[Entity], names: Mapping[str, Entity]) -> tuple[Entity, ...]:
    """The entities with each edge as its callee and its caller: the way a fault travels."""
    flat = [
        end
        for entity in entities
        for end in (_ends(entity, names)[::-1] if entity.ends else (entity,))
    ]
    return tuple(dict.fromkeys(flat))


def _edges(topology: Topology, needed: Iterable[tuple[Entity, Entity]]) -> tuple[Edge, ...]:
    """One edge a pair: those of the topology, and calls on the path that it does not know."""
    known: dict[tuple[Entity, Entity], Edge] = {}
    for edge in topology.edges:
        if EntityKind.EDGE not in {edge.source.kind, edge.target.kind}:
            known.setdefault((edge.source, edge.target), edge)
    for caller, callee in needed:
        if (caller, callee) not in known and (callee, caller) not in known and caller != callee:
            known[caller, callee] = Edge(
                source=caller, target=callee, kind=EdgeKind.CALLS, origin="diagnosis"
            )
    return tuple(known.values())


def _nearest(
    everyone: tuple[Entity, ...], edges: tuple[Edge, ...], *, focus: tuple[Entity, ...]
) -> tuple[Entity, ...]:
    """The focus and then its neighbours, ring by ring, up to `MOST_NODES`."""
    if len(everyone) <= MOST_NODES:
        return everyone
    beside: dict[Entity, list[Entity]] = {}
    for edge in edges:
        beside.setdefault(edge.source, []).append(edge.target)
        beside.setdefault(edge.target, []).append(edge.source)
    kept = dict.fromkeys(focus[:MOST_NODES])
    for entity in list(kept):
        kept.update(dict.fromkeys(sorted(beside.get(entity, ()))))
    return tuple(kept)[:MOST_NODES]
