"""show_topology: who calls whom around a target."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from opsmith.answer.words import TARGETS, names_in, quote, who
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Answer, AnswerStatus, Evidence
from opsmith.nouns.entity import Entity
from opsmith.nouns.task import Task
from opsmith.nouns.topology import EdgeKind, Topology

DEPTH = 3
MOST_LINES = 60
_KINDS = frozenset({EdgeKind.CALLS, EdgeKind.RUNS_ON})
Neighbours = Mapping[Entity, tuple[Entity, ...]]


async def show_topology(task: Task, world: World) -> Answer:
    """Both directions, or the one that was asked for, as trees."""
    names = {name for slot in TARGETS for name in names_in(task.slots.get(slot))}
    known = world.topology
    roots = sorted(one for one in _entities(known) if one.name in names)
    if not roots:
        key = "topology.unknown" if known.edges else "topology.nothing"
        nothing = world.speech.say(key, who=who(task, world.speech))
        return Answer(task=task, status=AnswerStatus.UNKNOWN, said=(nothing,))
    wanted = task.slots.get("depth", DEPTH)
    depth = wanted if isinstance(wanted, int) else DEPTH
    direction = str(task.slots.get("direction", ""))
    said: list[str] = []
    trees: list[str] = []
    for way, towards in (("dependencies", _out(known)), ("dependents", _into(known))):
        if direction in ("", way):
            for root in roots:
                said.append(_said(world, root, towards, way, depth))
                trees.extend(_tree(root, towards, depth, "→" if way == "dependencies" else "←"))
    origins = sorted({edge.origin for edge in known.edges})
    evidence = Evidence(
        source=world.source, query="topology", count=len(known.edges), names=tuple(origins)
    )
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=tuple(said),
        detail="\n".join(trees[:MOST_LINES]),
        evidence=(evidence,),
    )


def _said(world: World, root: Entity, towards: Neighbours, way: str, depth: int) -> str:
    reached = sorted(_reached(root, towards, depth))
    if not reached:
        key = "topology.leaf" if way == "dependencies" else "topology.root"
        return world.speech.say(key, who=quote(str(root)))
    key = "topology.calls" if way == "dependencies" else "topology.called"
    names = ", ".join(quote(str(one)) for one in reached[:20])
    return world.speech.say(key, who=quote(str(root)), count=len(reached), names=names)


def _reached(root: Entity, towards: Neighbours, depth: int) -> set[Entity]:
    found: set[Entity] = set()
    ahead = deque([(root, 0)])
    while ahead:
        one, far = ahead.popleft()
        for other in towards.get(one, ()) if far < depth else ():
            if other not in found and other != root:
                found.add(other)
                ahead.append((other, far + 1))
    return found


def _tree(root: Entity, towards: Neighbours, depth: int, arrow: str) -> list[str]:
    """One line an edge, indented; what was shown above is not opened again."""
    lines, seen = [quote(str(root))], {root}

    def below(one: Entity, indent: int) -> None:
        for other in towards.get(one, ()):
            again = other in seen
            lines.append(f"{'  ' * indent}{arrow} {quote(str(other))}{' …' if again else ''}")
            if not again and indent < depth and len(lines) < MOST_LINES:
                seen.add(other)
                below(other, indent + 1)

    below(root, 1)
    return lines


def _entities(known: Topology) -> set[Entity]:
    ends = {end for edge in known.edges for end in (edge.source, edge.target)}
    return {*known.entities, *ends}


def _out(known: Topology) -> Neighbours:
    return _towards([(e.source, e.target) for e in known.edges if e.kind in _KINDS])


def _into(known: Topology) -> Neighbours:
    return _towards([(e.target, e.source) for e in known.edges if e.kind in _KINDS])


def _towards(pairs: list[tuple[Entity, Entity]]) -> Neighbours:
    found: dict[Entity, set[Entity]] = {}
    for one, other in pairs:
        found.setdefault(one, set()).add(other)
    return {one: tuple(sorted(others)) for one, others in found.items()}
