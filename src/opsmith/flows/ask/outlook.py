"""forecast_metric: what a figure of a target will be, and when it passes its threshold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from opsmith.answer.times import seconds_of, span_of
from opsmith.answer.units import shown, threshold_of
from opsmith.answer.words import quote, who
from opsmith.errors import BadInput
from opsmith.flows.ask.figures import digest, nothing_measured
from opsmith.flows.ask.measure import measure
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Answer, AnswerStatus, Figure, Finding
from opsmith.nouns.forecast import Outlook
from opsmith.nouns.task import Task

# The history that forecasts learn from: two weekly patterns.
HISTORY = timedelta(days=14)
# Ratios have a natural end: what is full.
FULL = 1.0
_CAPACITY = frozenset({"disk_usage", "inode_usage", "memory_usage", "jvm_heap_usage"})


async def forecast_metric(task: Task, world: World) -> Answer:
    """What a figure will be, and when it passes its threshold (or is full)."""
    metric = str(task.slots["metric"])
    span = span_of(task.slots, zone=world.speech.zone, now=world.now, default=HISTORY)
    found = await measure(world, task.slots, metric, span)
    if not found.series or found.evidence is None:
        return nothing_measured(task, world, metric, found)
    horizon = timedelta(seconds=seconds_of(str(task.slots.get("horizon", "1d"))))
    limit = _limit(task, metric, found.unit)
    lead = max(found.series, key=lambda one: digest(one).last)
    try:
        outlook = await world.streets.foresee(lead, horizon=horizon, threshold=limit)
    except BadInput as error:
        said = world.speech.say("forecast.short", who=who(task, world.speech), why=str(error))
        return Answer(
            task=task, status=AnswerStatus.UNKNOWN, said=(said,), evidence=(found.evidence,)
        )
    passes = outlook.breach is not None and outlook.breach.median_s is not None
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=_foretold(task, world, outlook, (metric, found.unit, horizon)),
        finding=(Finding.BREACH if passes else Finding.NO_BREACH) if outlook.breach else None,
        detail=world.streets.drawn(outlook, world.columns),
        figures=_ahead(metric, outlook, found.unit),
        evidence=(found.evidence,),
    )


def _limit(task: Task, metric: str, unit: str) -> float | None:
    if "threshold" in task.slots:
        return threshold_of(str(task.slots["threshold"]), unit).value
    return FULL if unit == "ratio" and metric in _CAPACITY else None


def _foretold(
    task: Task, world: World, outlook: Outlook, what: tuple[str, str, timedelta]
) -> tuple[str, ...]:
    metric, unit, horizon = what
    speech, made = world.speech, outlook.forecast
    known = made.history[np.isfinite(made.history)]
    ahead = speech.length(horizon)
    said = [
        speech.say(
            "forecast.will",
            metric=speech.figure(metric),
            who=" ".join(filter(None, (who(task, speech), quote(made.key)))),
            now=shown(float(known[-1]), unit),
            then=shown(float(made.median[-1]), unit),
            horizon=ahead,
            low=shown(float(made.level(0.1)[-1]), unit),
            high=shown(float(made.level(0.9)[-1]), unit),
        )
    ]
    if outlook.breach is not None:
        said.append(_crossing(world, outlook, unit))
    length = timedelta(seconds=float(made.history_s[-1] - made.history_s[0]))
    said.append(speech.say("forecast.model", model=made.chosen, history=speech.length(length)))
    return tuple(said)


def _crossing(world: World, outlook: Outlook, unit: str) -> str:
    breach, speech = outlook.breach, world.speech
    assert breach is not None  # noqa: S101 - the caller looked
    limit = shown(breach.threshold, unit)
    horizon = speech.length(timedelta(seconds=breach.horizon_s))
    if breach.already:
        return speech.say("forecast.already", limit=limit)

    def told(seconds: float | None) -> str:
        if seconds is None:
            return speech.say("forecast.later", horizon=horizon)
        return speech.length(timedelta(seconds=seconds))

    chance = shown(breach.probability, "ratio")
    key = "stays" if breach.earliest_s is None else "maybe"
    if breach.median_s is not None:
        key = "crosses"
    return speech.say(
        f"forecast.{key}",
        limit=limit,
        horizon=horizon,
        chance=chance,
        median=told(breach.median_s),
        early=told(breach.earliest_s),
        late=told(breach.latest_s),
    )


def _ahead(metric: str, outlook: Outlook, unit: str) -> tuple[Figure, ...]:
    made = outlook.forecast
    at = datetime.fromtimestamp(float(made.times_s[-1]), tz=UTC)
    return (
        Figure(name=f"{metric} forecast median", value=float(made.median[-1]), unit=unit, at=at),
        Figure(name=f"{metric} forecast P10", value=float(made.level(0.1)[-1]), unit=unit, at=at),
        Figure(name=f"{metric} forecast P90", value=float(made.level(0.9)[-1]), unit=unit, at=at),
    )
