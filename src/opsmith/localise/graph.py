"""CallGraph: who calls whom, who is a view of whom, and what lies between two entities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from opsmith.nouns.entity import Entity
from opsmith.nouns.topology import Edge, EdgeKind

Neighbours = Mapping[Entity, tuple[Entity, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallGraph:
    """Calls between entities, in both directions; cycles are allowed.

    views: an entity that is only a view of another one (an alias), and that other one.
    runs_on: an entity and its hosts; instance_of: an instance and its service.
    """

    entities: tuple[Entity, ...]
    callees: Neighbours
    callers: Neighbours
    views: Mapping[Entity, Entity]
    runs_on: Neighbours
    instance_of: Mapping[Entity, Entity]

    def seen_callees(self, entity: Entity, seen: Callable[[Entity], bool]) -> tuple[Entity, ...]:
        """The nearest observed callees, looking through unobserved ones."""
        return nearest(self.callees, entity, seen)


def build_graph(edges: Iterable[Edge], calls: Iterable[tuple[Entity, Entity]] = ()) -> CallGraph:
    """Put the topology's edges and the calls that were seen into one graph.

    Self-calls are dropped. The order of the edges does not matter.
    """
    edges = tuple(edges)
    called = {(edge.source, edge.target) for edge in edges if edge.kind is EdgeKind.CALLS}
    called = {pair for pair in called | set(calls) if pair[0] != pair[1]}
    return CallGraph(
        entities=tuple(
            sorted(
                {end for pair in called for end in pair}
                | {end for edge in edges for end in (edge.source, edge.target)}
            )
        ),
        callees=grouped(called),
        callers=grouped((callee, caller) for caller, callee in called),
        views=dict(sorted(pairs_of(edges, EdgeKind.ALIAS_OF), reverse=True)),
        runs_on=grouped(pairs_of(edges, EdgeKind.RUNS_ON)),
        instance_of=dict(sorted(pairs_of(edges, EdgeKind.INSTANCE_OF), reverse=True)),
    )


def pairs_of(edges: Iterable[Edge], kind: EdgeKind) -> set[tuple[Entity, Entity]]:
    """The ends of all edges of one kind."""
    return {(e.source, e.target) for e in edges if e.kind is kind and e.source != e.target}


def grouped(pairs: Iterable[tuple[Entity, Entity]]) -> Neighbours:
    """For each first entity its second ones, sorted."""
    groups: defaultdict[Entity, set[Entity]] = defaultdict(set)
    for first, second in pairs:
        groups[first].add(second)
    return {first: tuple(sorted(seconds)) for first, seconds in sorted(groups.items())}


def nearest(
    neighbours: Neighbours, entity: Entity, seen: Callable[[Entity], bool]
) -> tuple[Entity, ...]:
    """The first entities on every way from `entity` for which `seen` holds."""
    found: set[Entity] = set()
    passed = {entity}
    waiting = list(neighbours.get(entity, ()))
    while waiting:
        here = waiting.pop()
        if here in passed:
            continue
        passed.add(here)
        if seen(here):
            found.add(here)
        else:
            waiting.extend(neighbours.get(here, ()))
    return tuple(sorted(found))
