"""query_metric: the values of a figure of a target, and whether it passed a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from opsmith.answer.times import Span, span_of
from opsmith.answer.units import Threshold, shown, threshold_of
from opsmith.answer.words import quote, who
from opsmith.flows.ask.measure import Measured, measure, within
from opsmith.flows.ask.world import World
from opsmith.forecast import drawing
from opsmith.nouns.answer import Answer, AnswerStatus, Figure, Finding
from opsmith.nouns.series import Series
from opsmith.nouns.task import Task

MOST_SHOWN = 10
STALE_STEPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One series in numbers. at_s, high_s: when the last and the highest were, Unix seconds."""

    key: str
    last: float
    at_s: float
    mean: float
    low: float
    high: float
    high_s: float
    total: float

    def of(self, agg: str) -> float:
        """The last value, or the aggregate of that name."""
        return {"avg": self.mean, "max": self.high, "min": self.low, "sum": self.total}.get(
            agg, self.last
        )


def digest(series: Series) -> Digest:
    """The numbers of a series that has a value."""
    known = np.isfinite(series.values)
    times, values = series.times_s[known], series.values[known]
    top = int(values.argmax())
    return Digest(
        key=series.key,
        last=float(values[-1]),
        at_s=float(times[-1]),
        mean=float(values.mean()),
        low=float(values.min()),
        high=float(values[top]),
        high_s=float(times[top]),
        total=float(values.sum()),
    )


async def query_metric(task: Task, world: World) -> Answer:
    """The values of a figure over a window, and whether it passed its threshold."""
    metric = str(task.slots["metric"])
    span = span_of(task.slots, zone=world.speech.zone, now=world.now)
    span = within(world, span)
    found = await measure(world, task.slots, metric, span)
    if not found.series or found.evidence is None:
        return nothing_measured(task, world, metric, found)
    limit = (
        threshold_of(str(task.slots["threshold"]), found.unit)
        if "threshold" in task.slots
        else None
    )
    agg = str(task.slots.get("agg", ""))
    ranked = sorted(
        found.series, key=lambda one: digest(one).of(agg), reverse=not limit or limit.upward
    )
    lead = ranked[0]
    said = _told(task, world, lead, (metric, found.unit, agg), span)
    finding, judged = _judged(task, world, ranked, (limit, found.unit, agg), span)
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=(*said, *judged, *_listed(task, world, ranked, (metric, found.unit, agg))),
        finding=finding,
        detail=drawing.history(
            lead,
            title=f"{world.speech.figure(metric)}, {who(task, world.speech)} ({found.unit})",
            columns=world.columns,
            threshold=limit.value if limit else None,
        ),
        figures=_figures(metric, digest(lead), found.unit),
        evidence=(found.evidence,),
    )


def _told(
    task: Task, world: World, lead: Series, what: tuple[str, str, str], span: Span
) -> tuple[str, ...]:
    metric, unit, agg = what
    speech, one = world.speech, digest(lead)
    name = who(task, speech) if not lead.labels else f"{who(task, speech)} {quote(lead.key)}"
    window = speech.window(span, world.now)
    if agg:
        value = shown(one.of(agg), unit)
        first = speech.say(
            "metric.agg",
            agg=speech.say(f"words.{agg}"),
            metric=speech.figure(metric),
            who=name,
            window=window,
            value=value,
        )
    else:
        first = speech.say(
            "metric.now",
            metric=speech.figure(metric),
            who=name,
            value=shown(one.last, unit),
            at=speech.time(one.at_s),
        )
    said = [first]
    if not span.now:
        said.append(
            speech.say(
                "metric.range",
                window=window,
                mean=shown(one.mean, unit),
                high=shown(one.high, unit),
                high_at=speech.time(one.high_s),
                low=shown(one.low, unit),
            )
        )
    return (*said, *_stale(world, lead, one, span))


def _stale(world: World, lead: Series, one: Digest, span: Span) -> tuple[str, ...]:
    """A word on a series that ended before the time that was looked at."""
    late_s = span.end.timestamp() - one.at_s
    own_s = float(np.median(np.diff(lead.times_s))) if lead.times_s.size > 1 else 0.0
    if late_s <= STALE_STEPS * max(world.step_s, own_s):
        return ()
    ago = world.speech.length(timedelta(seconds=late_s))
    return (world.speech.say("metric.stale", at=world.speech.time(one.at_s), ago=ago),)


def _judged(
    task: Task,
    world: World,
    ranked: list[Series],
    what: tuple[Threshold | None, str, str],
    span: Span,
) -> tuple[Finding | None, tuple[str, ...]]:
    """Whether a threshold was passed: by the aggregate, by any value of the window, or by now."""
    limit, unit, agg = what
    if limit is None:
        return None, ()
    speech, named = world.speech, quote(str(task.slots["threshold"]))
    worst = digest(ranked[0])
    if agg or span.now or not span.stated:
        passed = limit.passed_by(worst.of(agg))
        key = "metric.breach_value" if passed else "metric.no_breach"
        said = speech.say(key, limit=named, worst=shown(worst.of(agg), unit))
        return (Finding.BREACH if passed else Finding.NO_BREACH), (said,)
    beyond = [
        (one, np.array([limit.passed_by(value) for value in one.values.tolist()]))
        for one in ranked
    ]
    extreme = [(one.high if limit.upward else one.low) for one in map(digest, ranked)]
    most = max(extreme) if limit.upward else min(extreme)
    if not any(mask.any() for _, mask in beyond):
        return Finding.NO_BREACH, (
            speech.say("metric.no_breach", limit=named, worst=shown(most, unit)),
        )
    one, mask = max(beyond, key=lambda pair: float(pair[1].mean()))
    at = one.times_s[int(np.nanargmax(one.values) if limit.upward else np.nanargmin(one.values))]
    said = speech.say(
        "metric.breach",
        limit=named,
        share=shown(float(mask.mean()), "ratio"),
        worst=shown(most, unit),
        at=speech.time(float(at)),
    )
    return Finding.BREACH, (said,)


def _listed(
    task: Task, world: World, ranked: list[Series], what: tuple[str, str, str]
) -> tuple[str, ...]:
    """The parts of an answer that has several, worst first."""
    if len(ranked) < 2:  # noqa: PLR2004 - one is told already
        return ()
    metric, unit, agg = what
    top = task.slots.get("top")
    count = min(len(ranked), top if isinstance(top, int) else MOST_SHOWN)
    head = world.speech.say(
        "metric.top_head", metric=world.speech.figure(metric), count=count, all=len(ranked)
    )
    rows = [
        world.speech.say(
            "metric.top", n=n, who=quote(one.key), value=shown(digest(one).of(agg), unit)
        )
        for n, one in enumerate(ranked[:count], start=1)
    ]
    return (head, *rows)


def _figures(metric: str, one: Digest, unit: str) -> tuple[Figure, ...]:
    at, high_at = (datetime.fromtimestamp(t, tz=UTC) for t in (one.at_s, one.high_s))
    return (
        Figure(name=f"{metric} last", value=one.last, unit=unit, at=at),
        Figure(name=f"{metric} average", value=one.mean, unit=unit),
        Figure(name=f"{metric} highest", value=one.high, unit=unit, at=high_at),
        Figure(name=f"{metric} lowest", value=one.low, unit=unit),
    )


def nothing_measured(task: Task, world: World, metric: str, found: Measured) -> Answer:
    """The answer when no series tells a figure: what was looked for, and what to do."""
    speech = world.speech
    if world.metrics is None:
        said: tuple[str, ...] = (speech.say("source.no_metrics"),)
    elif found.evidence is not None:
        said = (speech.say("metric.empty", who=who(task, speech)),)
    elif not found.tried:
        said = (
            speech.say("metric.no_entry", metric=speech.figure(metric)),
            speech.say("metric.extend"),
        )
    else:
        said = (
            speech.say("metric.none", metric=speech.figure(metric), who=who(task, speech)),
            speech.say("metric.tried", tried=", ".join(found.tried)),
            speech.say("metric.extend"),
        )
    evidence = (found.evidence,) if found.evidence else ()
    return Answer(task=task, status=AnswerStatus.UNKNOWN, said=said, evidence=evidence)
