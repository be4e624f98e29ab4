"""measure: a figure of a target -> the series that tell it, and how they were asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from opsmith.answer.catalogue import Entry
from opsmith.answer.expression import Matcher, expression, matcher, selector
from opsmith.answer.times import Span
from opsmith.answer.words import TARGETS, names_in
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Evidence
from opsmith.nouns.series import Series
from opsmith.nouns.task import SlotValue
from opsmith.seams.metrics import Metrics

# So many points make a line that a terminal can show, and a quantile means something.
POINTS = 240
# A rate needs two samples; four intervals survive a lost scrape. Source: Prometheus
# documentation, "rate()", and its usual advice of four scrape intervals.
INTERVALS = 4
# Names told in evidence; more are counted.
NAMES_TOLD = 5
NODE_NAMES = "node_uname_info"

LabelSets = tuple[Mapping[str, str], ...]
Slots = Mapping[str, SlotValue]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What a figure was. series: worst first only by chance; tried: conventions looked for."""

    series: tuple[Series, ...]
    unit: str
    evidence: Evidence | None
    tried: tuple[str, ...] = ()


async def measure(world: World, slots: Slots, metric: str, span: Span) -> Measured:
    """The series of `metric` for the target in `slots`; none when no convention has it.

    Raises what the metrics seam raises.
    """
    tried = []
    if world.metrics is None:
        return Measured(series=(), unit="", evidence=None)
    span = within(world, span)
    for entry in world.catalogue.entries_for(metric):
        if not any(slot in entry.labels for slot in TARGETS if slot in slots):
            continue
        tried.append(entry.needs)
        matchers, found = await _located(world.metrics, entry, slots, span)
        if found:
            by = _apart(entry, slots, matchers, found)
            return await _asked(world, (entry, metric), (matchers, by), span)
    return Measured(series=(), unit="", evidence=None, tried=tuple(dict.fromkeys(tried)))


def within(world: World, span: Span) -> Span:
    """The part of a span in which there is anything, so that a short recording is seen finely."""
    if world.begin is None or world.begin <= span.start or world.begin >= span.end:
        return span
    return replace(span, start=world.begin)


async def _asked(
    world: World, what: tuple[Entry, str], target: tuple[list[Matcher], str], span: Span
) -> Measured:
    (entry, metric), (matchers, by) = what, target
    step_s = max(world.step_s, round(span.length.total_seconds() / POINTS))
    rate_s = round(max(INTERVALS * world.step_s, step_s))
    promql = expression(entry, metric, matchers=matchers, by=by, rate_s=rate_s)
    assert world.metrics is not None  # noqa: S101 - `measure` looked
    found = await world.metrics.query_range(
        promql, start=span.start, end=span.end, step=timedelta(seconds=step_s)
    )
    kept = tuple(one for one in found if np.isfinite(one.values).any())
    begin_s = min((float(one.times_s[0]) for one in kept), default=0.0) - step_s
    if kept and begin_s > span.start.timestamp() + step_s and _few(kept):
        # A young server: ask again for the time in which there is anything, with a finer step.
        young = replace(span, start=datetime.fromtimestamp(begin_s, tz=UTC))
        return await _asked(world, what, target, young)
    evidence = Evidence(
        source=world.source,
        query=promql,
        start=span.start,
        end=span.end,
        count=len(kept),
        names=tuple(one.key for one in kept[:NAMES_TOLD]),
    )
    return Measured(series=kept, unit=entry.unit, evidence=evidence)


def _few(found: Sequence[Series]) -> bool:
    return max(one.times_s.size for one in found) < POINTS // 4


async def _located(
    metrics: Metrics, entry: Entry, slots: Slots, span: Span
) -> tuple[list[Matcher], LabelSets]:
    """The conditions under which the entry's series are the target's, and their label sets."""
    asked = [slot for slot in TARGETS if slot in slots]
    primary = next(slot for slot in asked if slot in entry.labels)
    names = names_in(slots[primary])
    choices = [matcher(label, names) for label in entry.labels[primary]]
    found = await asyncio.gather(*(_sets(metrics, entry, [one], span) for one in choices))
    chosen = next(((one, sets) for one, sets in zip(choices, found, strict=True) if sets), None)
    if chosen is None and primary == "host":
        chosen = await _by_node_name(metrics, entry, names, span)
    if chosen is None:
        return [], ()
    matchers, sets = [chosen[0]], chosen[1]
    for slot in asked:
        if slot != primary:
            more = _narrowed(entry, slots, slot, sets)
            if more is None:
                return [], ()
            matchers.append(more[0])
            sets = more[1]
    return matchers, sets


def _narrowed(
    entry: Entry, slots: Slots, slot: str, sets: LabelSets
) -> tuple[Matcher, LabelSets] | None:
    """The label by which a second target slot narrows what was found; None when none does."""
    for label in entry.labels.get(slot, ()):
        one = matcher(label, names_in(slots[slot]))
        kept = tuple(labels for labels in sets if one.fits(labels))
        if kept:
            return one, kept
    return None


async def _by_node_name(
    metrics: Metrics, entry: Entry, names: Sequence[str], span: Span
) -> tuple[Matcher, LabelSets] | None:
    """A host by its own name where series carry an address only (node_exporter)."""
    named = matcher("nodename", names)
    known = await metrics.series(f"{NODE_NAMES}{{{named}}}", start=span.start, end=span.end)
    instances = sorted({dict(labels).get("instance", "") for labels in known} - {""})
    if not instances:
        return None
    one = Matcher(label="instance", values=tuple(instances))
    sets = await _sets(metrics, entry, [one], span)
    return (one, sets) if sets else None


async def _sets(metrics: Metrics, entry: Entry, matchers: list[Matcher], span: Span) -> LabelSets:
    found = await metrics.series(selector(entry.needs, matchers), start=span.start, end=span.end)
    return tuple(dict(labels) for labels in found)


def _apart(entry: Entry, slots: Slots, matchers: list[Matcher], sets: LabelSets) -> str:
    """The label that tells the parts of the answer apart, empty when one thing was asked."""
    if "service" in slots:
        return matchers[0].label if len(names_in(slots["service"])) > 1 else ""
    for label in entry.labels.get("service", ()):
        if len({labels.get(label, "") for labels in sets} - {""}) > 1:
            return label
    hosts = names_in(slots.get("host"))
    return matchers[0].label if len(hosts) > 1 or "host_group" in slots else ""
