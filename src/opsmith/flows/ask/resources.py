"""query_resource: the objects of a cluster, from kube-state-metrics; else the known entities."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np

from opsmith.answer.expression import Matcher, matcher
from opsmith.answer.words import names_in, quote
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Answer, AnswerStatus, Evidence, Figure
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.series import Series
from opsmith.nouns.task import Task

MOST_SHOWN = 50
_ENTITIES = {"service": EntityKind.SERVICE, "node": EntityKind.HOST, "pod": EntityKind.INSTANCE}
# Target slot -> label of kube-state-metrics.
_LABELS = (("namespace", "namespace"), ("host", "node"), ("service", ""))


async def query_resource(task: Task, world: World) -> Answer:
    """How many of a kind there are and which, with the state that their series tell."""
    kind = str(task.slots.get("kind", "pod"))
    known = _kinds()
    found: tuple[Series, ...] = ()
    promql = ""
    if kind in known and world.metrics is not None:
        matchers = ", ".join(map(str, _matchers(task, known[kind]["label"])))
        promql = known[kind]["promql"].replace("$target", matchers)
        found = await world.metrics.query(promql, at=world.now)
        found = tuple(one for one in found if np.isfinite(one.values).any())
    if found:
        rows = sorted({_row(one, known[kind], kind) for one in found})
        evidence = Evidence(source=world.source, query=promql, end=world.now, count=len(found))
        return _listed(task, world, (kind, rows), evidence)
    entities = _entities(task, world, kind)
    evidence = Evidence(source=world.source, query=promql or "topology", count=len(entities))
    if entities:
        return _listed(task, world, (kind, entities), evidence)
    said = world.speech.say("resource.none", kind=kind, where=_where(task))
    return Answer(task=task, status=AnswerStatus.UNKNOWN, said=(said,), evidence=(evidence,))


def _listed(task: Task, world: World, what: tuple[str, list[str]], evidence: Evidence) -> Answer:
    kind, rows = what
    said = world.speech.say("resource.found", count=len(rows), kind=kind, where=_where(task))
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=(said,),
        detail="\n".join(rows[:MOST_SHOWN]),
        figures=(Figure(name=kind, value=float(len(rows)), unit="count"),),
        evidence=(evidence,),
    )


def _matchers(task: Task, label: str) -> list[Matcher]:
    return [
        matcher(name or label, names_in(task.slots[slot]))
        for slot, name in _LABELS
        if slot in task.slots
    ]


def _row(one: Series, form: Mapping[str, str], kind: str) -> str:
    labels = dict(one.labels)
    name, state = labels.get(form["label"], "?"), labels.get(form["state"], "")
    space = labels.get("namespace", "") if kind != "namespace" else ""
    told = state if form["state"] else f"{float(one.values[-1]):g}"
    return "  ".join(filter(None, map(quote, (space, name, told))))


def _entities(task: Task, world: World, kind: str) -> list[str]:
    """Known entities of that kind, when nothing narrows what was asked."""
    wanted = _ENTITIES.get(kind)
    if wanted is None or {"namespace", "host", "service", "env"} & task.slots.keys():
        return []
    known = {*world.topology.entities, *(edge.source for edge in world.topology.edges)}
    known |= {edge.target for edge in world.topology.edges}
    return sorted(quote(one.name) for one in known if one.kind is wanted)


def _where(task: Task) -> str:
    names = [name for slot, _ in _LABELS for name in names_in(task.slots.get(slot))]
    return f" ({', '.join(map(quote, names))})" if names else ""


@cache
def _kinds() -> Mapping[str, Mapping[str, str]]:
    text = (files("opsmith.answer") / "resources.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
