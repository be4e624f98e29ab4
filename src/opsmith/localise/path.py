"""The path: how trouble went from the cause to those who saw it, cause first.

Both rules relax every edge once, in topological order of the graph whose cycles are condensed
(Cormen et al., Introduction to Algorithms, ch. 22.2), and inside a cycle as often as it has
members. `bottleneck` keeps the way whose least ill member is most ill (the widest path);
`additive` the least sum of log(1 + error rate) + latency in ms / 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opsmith.localise.graph import CallGraph
from opsmith.localise.symptoms import ILL, Symptom, Symptoms
from opsmith.nouns.diagnosis import Path, PathWeights
from opsmith.nouns.entity import Entity, EntityKind

# The brief's limits of a path: so many edges, and this cost. A path beyond is flagged.
DEEPEST = 5
COST_LIMIT = 8.0

Ways = Mapping[Entity, tuple[Entity, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Label:
    """How good the best way to an entity is: larger is better, then shorter."""

    worth: float
    hops: int
    by: Entity | None


def find_path(
    graph: CallGraph,
    symptoms: Symptoms,
    cause: Entity,
    alerting: Iterable[Entity],
    rule: PathWeights = PathWeights.BOTTLENECK,
) -> Path:
    """The best way from the cause to any of the alerting entities.

    It goes on from there as long as callers are ill too: the first alert is often about somebody
    inside, and those who see the users are not heard of yet. Without any alerting entity, the way
    ends where nobody calls any more. A cause that reaches none of them is the whole path.
    """
    ways, start = influence(graph), cause
    if cause.ends is not None:
        start = caller_of(graph, cause)
    order, cycles = condensed(ways, start)
    labels = relaxed(ways, order, start, symptoms, rule)
    ends = [one for one in alerting if one in labels]
    if not ends and not list(alerting):
        ends = [one for one in labels if not ways.get(one)]
    walk = [start]
    if ends:
        walk = walk_back(labels, max(ends, key=lambda one: (rank(labels[one]), one)))
        walk = onward(ways, symptoms, walk)
    steps = walk if start == cause else [cause, *walk]
    return described(steps, symptoms, cycles)


def influence(graph: CallGraph) -> Ways:
    """Whom each entity can make ill: its callers, what runs on it, its service, its views."""
    ways: dict[Entity, set[Entity]] = {}
    for pairs in (graph.callers.items(), inverse(graph.runs_on), inverse_one(graph.views)):
        for source, targets in pairs:
            ways.setdefault(source, set()).update(targets)
    for part, whole in graph.instance_of.items():
        ways.setdefault(part, set()).add(whole)
    return {source: tuple(sorted(targets)) for source, targets in sorted(ways.items())}


def inverse(neighbours: Ways) -> Iterable[tuple[Entity, tuple[Entity, ...]]]:
    """Each second entity with one of its first ones."""
    return [(second, (first,)) for first, all_of in neighbours.items() for second in all_of]


def inverse_one(pairs: Mapping[Entity, Entity]) -> Iterable[tuple[Entity, tuple[Entity, ...]]]:
    """The same for pairs."""
    return [(second, (first,)) for first, second in pairs.items()]


def caller_of(graph: CallGraph, edge: Entity) -> Entity:
    """The entity that calls over an edge; a service of that name when the graph lacks it."""
    caller, _ = edge.ends or (edge.name, "")
    named = [one for one in graph.callees if one.name == caller]
    services = [one for one in named if one.kind is EntityKind.SERVICE]
    return (services or named or [Entity.service(caller)])[0]


def condensed(ways: Ways, start: Entity) -> tuple[list[list[Entity]], list[tuple[Entity, ...]]]:
    """Strongly connected groups reachable from `start` in topological order, and the circles.

    Source: Tarjan (1972), Depth-first search and linear graph algorithms; without recursion.
    """
    index: dict[Entity, int] = {}
    low: dict[Entity, int] = {}
    stack: list[Entity] = []
    on_stack: set[Entity] = set()
    groups: list[list[Entity]] = []
    work = [(start, iter(ways.get(start, ())))]
    index[start] = low[start] = 0
    stack.append(start)
    on_stack.add(start)
    while work:
        here, rest = work[-1]
        step = next(rest, None)
        if step is None:
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[here])
            if low[here] == index[here]:
                groups.append(popped(stack, on_stack, here))
        elif step not in index:
            index[step] = low[step] = len(index)
            stack.append(step)
            on_stack.add(step)
            work.append((step, iter(ways.get(step, ()))))
        elif step in on_stack:
            low[here] = min(low[here], index[step])
    groups.reverse()
    return groups, [tuple(sorted(group)) for group in groups if len(group) > 1]


def popped(stack: list[Entity], on_stack: set[Entity], root: Entity) -> list[Entity]:
    """Take one finished group off the stack."""
    place = stack.index(root)
    group = stack[place:]
    del stack[place:]
    on_stack.difference_update(group)
    return sorted(group)


def relaxed(
    ways: Ways, order: list[list[Entity]], start: Entity, symptoms: Symptoms, rule: PathWeights
) -> dict[Entity, Label]:
    """The best label of every entity that can be reached from `start`."""
    bottleneck = rule is PathWeights.BOTTLENECK
    labels = {start: Label(worth=math.inf if bottleneck else 0.0, hops=0, by=None)}
    for group in order:
        for _ in group:
            for here in group:
                for step in ways.get(here, ()):
                    relax(labels, here, step, symptoms, bottleneck=bottleneck)
    return labels


def relax(
    labels: dict[Entity, Label],
    here: Entity,
    step: Entity,
    symptoms: Symptoms,
    *,
    bottleneck: bool,
) -> None:
    """Reach `step` by `here` if that is better; never back onto the way that led here."""
    known = labels.get(here)
    if known is None:
        return
    if bottleneck:
        worth = min(known.worth, symptoms.get(step, Symptom()).change)
    else:
        worth = known.worth - cost_of(symptoms.get(here, Symptom()))
    label = Label(worth=worth, hops=-(abs(known.hops) + 1), by=here)
    if step not in labels or rank(label) > rank(labels[step]):
        labels[step] = label


def rank(label: Label) -> tuple[float, int]:
    """What decides between two ways."""
    return label.worth, label.hops


def cost_of(callee: Symptom) -> float:
    """The brief's weight of a call to this callee."""
    return math.log1p(callee.error_rate) + callee.latency_s * 1000.0 / 100.0


def walk_back(labels: Mapping[Entity, Label], end: Entity) -> list[Entity]:
    """From the start to `end`."""
    walk = [end]
    while (by := labels[walk[-1]].by) is not None:
        walk.append(by)
    return walk[::-1]


def onward(ways: Ways, symptoms: Symptoms, walk: list[Entity]) -> list[Entity]:
    """The walk and, from its end on, the most ill of those whom each can make ill."""
    longer = list(walk)
    while True:
        ill = [
            one
            for one in ways.get(longer[-1], ())
            if one not in longer and symptoms.get(one, Symptom()).change >= ILL
        ]
        if not ill:
            return longer
        longer.append(max(ill, key=lambda one: (symptoms[one].change, one)))


def described(steps: list[Entity], symptoms: Symptoms, cycles: list[tuple[Entity, ...]]) -> Path:
    """The path with its figures, limits flagged and circles named."""
    cost = sum(cost_of(symptoms.get(one, Symptom())) for one in steps[:-1])
    changes = [symptoms[one].change for one in steps if one in symptoms]
    return Path(
        entities=tuple(steps),
        bottleneck=min(changes, default=0.0),
        cost=cost,
        over_limit=len(steps) - 1 > DEEPEST or cost > COST_LIMIT,
        cycles=tuple(group for group in cycles if set(group) & set(steps)),
    )
