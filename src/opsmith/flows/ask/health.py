"""check_health: a target against a few limits, and its firing alerts."""

from __future__ import annotations

from dataclasses import dataclass

from opsmith.answer.times import AROUND_NOW, Span
from opsmith.answer.units import Threshold, shown
from opsmith.answer.words import TARGETS, names_in, quote, who
from opsmith.flows.ask.figures import digest
from opsmith.flows.ask.incidents import firing_names
from opsmith.flows.ask.measure import measure
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Answer, AnswerStatus, Evidence, Figure, Finding
from opsmith.nouns.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A figure and the bound beyond which it means ill health, in `unit`."""

    metric: str
    bound: Threshold
    unit: str = "ratio"


def _above(metric: str, value: float, unit: str = "ratio") -> Limit:
    return Limit(metric=metric, bound=Threshold(sign=">", value=value), unit=unit)


# An unanswered scrape is an outage; one request in twenty failed is felt by everybody; the last
# tenth of a resource is where alert rules of the field begin (kubernetes-mixin, node-mixin).
SERVICE_LIMITS = (
    Limit(metric="availability", bound=Threshold(sign="<", value=0.95)),
    _above("error_rate", 0.05),
    _above("cpu_usage", 0.9),
    _above("memory_usage", 0.9),
    _above("pod_restarts", 3.0, "count"),
)
HOST_LIMITS = (
    Limit(metric="availability", bound=Threshold(sign="<", value=0.95)),
    _above("cpu_usage", 0.9),
    _above("memory_usage", 0.9),
    _above("disk_usage", 0.9),
    _above("inode_usage", 0.9),
)


async def check_health(task: Task, world: World) -> Answer:
    """Healthy when something was measured, nothing is beyond its limit and no alert fires."""
    hosts = "host" in task.slots or "host_group" in task.slots
    span = Span(start=world.now - AROUND_NOW, end=world.now, now=True)
    bad: list[str] = []
    good: list[str] = []
    figures: list[Figure] = []
    evidence: list[Evidence] = []
    for limit in HOST_LIMITS if hosts else SERVICE_LIMITS:
        found = await measure(world, task.slots, limit.metric, span)
        if not found.series or found.unit != limit.unit or found.evidence is None:
            continue
        values = [digest(one).last for one in found.series]
        worst = max(values) if limit.bound.upward else min(values)
        figures.append(Figure(name=limit.metric, value=worst, unit=found.unit))
        evidence.append(found.evidence)
        beyond = limit.bound.passed_by(worst)
        (bad if beyond else good).append(_row(world, limit, worst, beyond=beyond))
    names = tuple(name for slot in TARGETS for name in names_in(task.slots.get(slot)))
    alerts = await firing_names(world, names)
    bad += [world.speech.say("health.firing", name=quote(name)) for name in alerts]
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED if bad or good else AnswerStatus.UNKNOWN,
        said=_said(task, world, bad, good),
        finding=_finding(bad, good),
        figures=tuple(figures),
        evidence=tuple(evidence),
    )


def _said(task: Task, world: World, bad: list[str], good: list[str]) -> tuple[str, ...]:
    speech, name = world.speech, who(task, world.speech)
    if bad:
        return (speech.say("health.unhealthy", who=name), *bad, *good)
    if good:
        return (speech.say("health.healthy", who=name, checks=len(good)), *good)
    if world.metrics is None:
        return (speech.say("source.no_metrics"),)
    return (speech.say("health.unknown", who=name),)


def _finding(bad: list[str], good: list[str]) -> Finding | None:
    if bad:
        return Finding.UNHEALTHY
    return Finding.HEALTHY if good else None


def _row(world: World, limit: Limit, value: float, *, beyond: bool) -> str:
    return world.speech.say(
        "health.bad" if beyond else "health.good",
        metric=world.speech.figure(limit.metric),
        value=shown(value, limit.unit),
        limit=shown(limit.bound.value, limit.unit),
    )
