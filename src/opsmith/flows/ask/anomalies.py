"""detect_anomaly: what figures of a target did that they never did before."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from opsmith.answer.times import Span, span_of
from opsmith.answer.units import shown
from opsmith.answer.words import who
from opsmith.flows.ask.figures import nothing_measured
from opsmith.flows.ask.measure import Measured, measure
from opsmith.flows.ask.world import World
from opsmith.nouns.anomaly import PAGING, Anomaly
from opsmith.nouns.answer import Answer, AnswerStatus, Finding
from opsmith.nouns.series import Series
from opsmith.nouns.task import Task
from opsmith.numerics.robust import level_and_spread

# The golden signals, and the two resources that run out first.
GOLDEN = ("latency_p95", "error_rate", "qps", "cpu_usage", "memory_usage", "queue_lag")
HOST_GOLDEN = ("cpu_usage", "memory_usage", "disk_usage", "load_average", "network_in")
# What precedes the window, for the detector to learn from.
LEARNING = timedelta(hours=12)
# What the detector wants before it speaks.
LEAST_POINTS, LEAST_LEARNING_S = 96, 3600.0
# A stretch to compare with has at least so many points.
LEAST_BEFORE = 8
# A robust z-score beyond this is news. Source: Iglewicz & Hoaglin (1993), 3.5, doubled for the
# many series that are looked at together.
FAR = 7.0
# The smallest spread that counts, as a share of the largest value: less is rounding.
FLOOR_SHARE = 0.05


async def detect_anomaly(task: Task, world: World) -> Answer:
    """What of a target did in the window what it never did before."""
    span = span_of(task.slots, zone=world.speech.zone, now=world.now)
    asked = str(task.slots.get("metric", ""))
    hosts = "host" in task.slots or "host_group" in task.slots
    metrics = (asked,) if asked else HOST_GOLDEN if hosts else GOLDEN
    learning = Span(start=span.start - LEARNING, end=span.end)
    said: list[str] = []
    evidence = []
    odd = measured = False
    for metric in metrics:
        found = await measure(world, task.slots, metric, learning)
        if not found.series or found.evidence is None:
            if asked:
                return nothing_measured(task, world, metric, found)
            continue
        measured = True
        evidence.append(found.evidence)
        told, bad = _oddities(task, world, found, metric, span)
        said.extend(told)
        odd = odd or bad
    if not measured:
        key = "source.no_metrics" if world.metrics is None else "anomaly.nothing"
        said = [world.speech.say(key, who=who(task, world.speech))]
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED if measured else AnswerStatus.UNKNOWN,
        said=tuple(said),
        finding=(Finding.BREACH if odd else Finding.NO_BREACH) if measured else None,
        evidence=tuple(evidence),
    )


def _oddities(
    task: Task, world: World, found: Measured, metric: str, span: Span
) -> tuple[list[str], bool]:
    """What one figure did, in words, and whether it was odd."""
    speech = world.speech
    lead = max(found.series, key=lambda one: one.times_s.size)
    long = lead.times_s.size >= LEAST_POINTS and np.ptp(lead.times_s) >= LEAST_LEARNING_S
    name, figure = who(task, speech), speech.figure(metric)
    if not long:
        return _compared(world, found, (name, figure), span)
    told = [
        one
        for one in world.streets.detect(found.series)
        if one.verdict in PAGING and span.start <= one.at <= span.end
    ]
    if not told:
        return [speech.say("anomaly.quiet", metric=figure, who=name)], False
    return [_alarmed(world, told, (name, figure), found.unit)], True


def _alarmed(world: World, told: list[Anomaly], what: tuple[str, str], unit: str) -> str:
    name, figure = what
    first = min(told, key=lambda one: one.at)
    expected = shown(first.expected, unit) if first.expected is not None else "?"
    return world.speech.say(
        "anomaly.found",
        metric=figure,
        who=name,
        count=len(told),
        at=world.speech.time(first.at),
        value=shown(first.value, unit),
        expected=expected,
    )


def _compared(
    world: World, found: Measured, what: tuple[str, str], span: Span
) -> tuple[list[str], bool]:
    """A short history: the window against what precedes it, or a recording's healthy part."""
    name, figure = what
    speech, recording = world.speech, world.recording
    mark = recording.window.start if recording and recording.window else span.start
    worst: tuple[float, Series, int, float] | None = None
    for one in found.series:
        before = one.values[one.times_s < mark.timestamp()]
        if np.isfinite(before).sum() < LEAST_BEFORE:
            continue
        floor = np.array([1e-9 + FLOOR_SHARE * float(np.nanmax(np.abs(one.values)))])
        level, spread = level_and_spread(before[None, :], floor)
        z = np.where(one.times_s >= mark.timestamp(), np.abs(one.values - level) / spread, 0.0)
        top = int(np.nanargmax(z))
        if worst is None or z[top] > worst[0]:
            worst = (float(z[top]), one, top, float(level[0]))
    if worst is None:
        points = max(one.times_s.size for one in found.series)
        return [speech.say("anomaly.short", metric=figure, who=name, points=points)], False
    times, one, top, level_was = worst
    if times < FAR:
        return [speech.say("anomaly.quiet", metric=figure, who=name)], False
    said = speech.say(
        "anomaly.moved",
        metric=figure,
        who=name,
        value=shown(float(one.values[top]), found.unit),
        at=speech.time(float(one.times_s[top])),
        level=shown(level_was, found.unit),
        times=f"{times:.3g}",
    )
    return [said], True
