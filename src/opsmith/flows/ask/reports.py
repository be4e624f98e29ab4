"""create_report: figures of a target over a period, as Markdown."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from opsmith.answer.times import Span, span_of
from opsmith.answer.units import shown
from opsmith.answer.words import TARGETS, quote, who
from opsmith.flows.ask.figures import digest
from opsmith.flows.ask.incidents import diagnose_incident, incidents_of
from opsmith.flows.ask.measure import measure
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Answer, AnswerStatus, Evidence
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.task import SlotValue, Task

PERIODS = {"daily": 1, "weekly": 7, "monthly": 30, "quarterly": 90}
FIGURES = {
    "capacity": ("cpu_usage", "memory_usage", "disk_usage", "connection_count", "qps"),
    "availability": ("availability", "error_rate", "pod_restarts"),
    "sla": ("availability", "error_rate", "latency_p99"),
    "performance": ("latency_p50", "latency_p95", "latency_p99", "qps", "error_rate"),
    "health": ("availability", "error_rate", "cpu_usage", "memory_usage", "disk_usage"),
}
MOST_SERVICES = 12


async def create_report(task: Task, world: World) -> Answer:
    """A table of figures for each target; incidents for an incident report."""
    kind = str(task.slots["report_type"])
    if kind == "incident":
        return await _incidents(task, world)
    if kind not in FIGURES:
        return _unknown(task, world.speech.say("report.no_source", kind=kind))
    if world.metrics is None:
        return _unknown(task, world.speech.say("source.no_metrics"))
    targets = _targets(task, world)
    if not targets:
        return _unknown(task, world.speech.say("report.nobody"))
    return await _tables(task, world, kind, targets)


async def _tables(
    task: Task, world: World, kind: str, targets: list[tuple[str, dict[str, SlotValue]]]
) -> Answer:
    span = _period(task, world)
    lines, evidence, count = _head(task, world, kind, span), list[Evidence](), 0
    for name, slots in targets:
        rows, found = await _rows(world, slots, FIGURES[kind], span)
        if rows:
            lines += [
                "",
                f"## {quote(name)}",
                "",
                world.speech.say("report.head"),
                "|---|---|---|---|",
            ]
            lines += rows
            evidence += found
            count += len(rows)
    if not count:
        return _unknown(task, world.speech.say("health.unknown", who=who(task, world.speech)))
    said = [world.speech.say("report.written", count=count)]
    if task.slots.get("format") == "pdf":
        said.append(world.speech.say("report.no_pdf"))
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=tuple(said),
        detail="\n".join(lines),
        evidence=tuple(evidence),
    )


def _head(task: Task, world: World, kind: str, span: Span) -> list[str]:
    speech = world.speech
    start, end = (speech.time(at, day=True) for at in (span.start, span.end))
    title = speech.say("report.title", kind=kind, who=who(task, speech))
    return [f"# {title}", "", speech.say("report.period", start=start, end=end)]


def _period(task: Task, world: World) -> Span:
    days = PERIODS.get(str(task.slots.get("period", "")), 1)
    return span_of(task.slots, zone=world.speech.zone, now=world.now, default=timedelta(days=days))


def _targets(task: Task, world: World) -> list[tuple[str, dict[str, SlotValue]]]:
    named = {slot: task.slots[slot] for slot in TARGETS if slot in task.slots}
    if named:
        return [(who(task, world.speech), named)]
    known = {*world.topology.entities, *(edge.source for edge in world.topology.edges)}
    services = sorted(one.name for one in known if one.kind is EntityKind.SERVICE)
    return [(name, {"service": name}) for name in services[:MOST_SERVICES]]


async def _rows(
    world: World, slots: dict[str, SlotValue], metrics: tuple[str, ...], span: Span
) -> tuple[list[str], list[Evidence]]:
    rows, evidence = [], []
    for metric in metrics:
        found = await measure(world, slots, metric, span)
        if not found.series or found.evidence is None:
            continue
        lead = max(found.series, key=lambda one: float(np.nanmax(one.values)))
        one = digest(lead)
        rows.append(
            world.speech.say(
                "report.row",
                metric=world.speech.figure(metric),
                mean=shown(one.mean, found.unit),
                high=shown(one.high, found.unit),
                last=shown(one.last, found.unit),
            )
        )
        evidence.append(found.evidence)
    return rows, evidence


async def _incidents(task: Task, world: World) -> Answer:
    """What is known of the incidents of the period, or of the recording."""
    span = _period(task, world)
    known = [one for one in await incidents_of(world.ledger) if one.updated_at >= span.start]
    if world.recording is not None or not known:
        return await diagnose_incident(task, world)
    lines = _head(task, world, "incident", span)
    lines += ["", *(f"- {one.id} [{one.state}] {quote(one.title)}" for one in known)]
    lines += [
        f"  {quote(one.verdict.sentence)}" for one in known if one.verdict and one.verdict.sentence
    ]
    evidence = Evidence(source="ledger", query="kind=incident", count=len(known))
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=(world.speech.say("report.written", count=len(known)),),
        detail="\n".join(lines),
        evidence=(evidence,),
    )


def _unknown(task: Task, said: str) -> Answer:
    return Answer(task=task, status=AnswerStatus.UNKNOWN, said=(said,))
