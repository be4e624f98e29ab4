"""Self-share: how much of an entity's change its callees do not explain.

The change is measured in real units (seconds a call, share of failed calls), so that caller
and callee compare. Of an entity's change the part is its own that no changed callee has too;
a cause's own change, times how often it is called, must be able to account for what the
alerting entity suffers; and it must be reached from there through entities that changed.

Source: own design, from the observation of Budhathoki et al. (2022) and Hardt et al. (2023)
that attribution needs the given call graph; measured in docs/measurements.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.findings import Findings
from opsmith.localise.graph import CallGraph
from opsmith.localise.onset import Shifts
from opsmith.localise.periods import moment
from opsmith.localise.scene import Scene
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert

# Rises below this many spreads do not explain a caller's and break the way from the alert.
ANOMALOUS_Z = 1.0
# The shares of a score that stay when nothing is its own, or when it cannot account for the
# alerting entity's change, and what is left off the way from the alert, or in a caller's view
# of another entity. Set on development incidents with cells dropped, noise added and the
# alarm's time shifted; flat around these values.
OWN_FLOOR = 0.15
ACCOUNT_FLOOR = 0.15
OFF_THE_WAY = 0.3
MERE_VIEW = 0.3
WHAT = {Aspect.LATENCY: "latency", Aspect.ERRORS: "share of failed calls"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """How much one entity rose. size: in the aspect's unit; z: in fault-free spreads."""

    size: float
    z: float
    before: float
    after: float
    series: str
    onset_s: float


def self_share(scene: Scene) -> Findings:
    """Blame entities for the part of their rise that their callees do not have.

    strength: (1 + z) ** weight - 1, the weight being the product of the shares above, so that
    its logarithm shrinks in proportion; the larger of latency and errors where both rose.
    """
    strength: dict[Entity, float] = {}
    evidence: defaultdict[Entity, list[Evidence]] = defaultdict(list)
    features: dict[str, dict[Entity, float]] = {"own": {}, "size": {}}
    if scene.shifts is not None:
        for aspect in WHAT:
            view = rises_of(scene, scene.shifts, aspect)
            for entity, (weight, own) in weigh(scene, view).items():
                rise = view.rises[entity]
                found = float((1.0 + rise.z) ** weight - 1.0)
                part = "whom it calls is not known"
                if own or not is_stranger(scene.graph, entity):
                    part = part_of(own)
                evidence[entity].append(fact(entity, aspect, rise, part, found))
                if found > strength.get(entity, 0.0):
                    strength[entity] = found
                    features["own"][entity] = own
                    features["size"][entity] = rise.z
    return Findings(
        channel=Channel.SELF_SHARE,
        strength=strength,
        evidence={
            entity: tuple(sorted(facts, key=lambda one: -one.strength))
            for entity, facts in evidence.items()
        },
        features=features,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Rises of one aspect, and how often each entity was called (absent when unknown).

    suffered: whether this is what people saw; false when they were alerted of another aspect.
    """

    rises: Mapping[Entity, Rise]
    calls: Mapping[Entity, float]
    suffered: bool

    def anomalous(self, entity: Entity) -> bool:
        """Whether an entity is seen to have risen."""
        return entity in self.rises and self.rises[entity].z > ANOMALOUS_Z

    def hidden(self, entity: Entity) -> bool:
        """Whether nothing is known of an entity."""
        return entity not in self.rises


def rises_of(scene: Scene, shifts: Shifts, aspect: Aspect) -> View:
    """The rise of each entity in one aspect, and how often each was called."""
    alarms, traced = alarms_of(scene), traced_entities(scene, aspect)
    alert = next((one for one in alarms if one.aspect is aspect), None)
    rise, rise_z = shifts.rise, shifts.rise_z
    rows: dict[Entity, list[int]] = {}
    calls: dict[Entity, float] = {}
    for (entity, side), held in scene.rows.items():
        if side is aspect and entity not in traced:
            known = [place for place in held if np.isfinite(rise_z[place])]
            rows |= {entity: known} if known else {}
        elif side is Aspect.TRAFFIC:
            calls[entity] = float(np.nansum(shifts.high[list(held)]))
    rises = {}
    for entity, places in rows.items():
        row, ties = speaking(scene, places, rise_z, alert)
        # The largest of n standard normals is about sqrt(2 ln n): that much is chance.
        z = max(float(rise_z[row]) - float(np.sqrt(2.0 * np.log(ties))), 0.0)
        rises[entity] = Rise(
            size=float(rise[row]),
            z=z,
            before=float(shifts.before[row]),
            after=float(shifts.high[row]),
            series=scene.recording.series[row].key,
            onset_s=float(shifts.onset_s[row]),
        )
    return View(rises=rises, calls=calls, suffered=alert is not None or not alarms)


def traced_entities(scene: Scene, aspect: Aspect) -> frozenset[Entity]:
    """Entities of which spans tell the aspect; series would say it again, and worse.

    None when either period has no traces, or when no span says whether it failed.
    """
    traces = scene.traces
    if traces is None or not (traces.fault_free.any() and traces.in_incident.any()):
        return frozenset()
    if aspect is Aspect.ERRORS and not traces.spans.failed.any():
        return frozenset()
    return frozenset(traces.spans.entities)


def alarms_of(scene: Scene) -> tuple[Alert, ...]:
    """The alerts of latency or errors on the entities that people saw suffer."""
    return tuple(
        alert
        for alert in scene.recording.alerts
        if alert.entity in scene.recording.alerting and alert.aspect in WHAT
    )


def speaking(
    scene: Scene, places: Sequence[int], rise_z: NDArray[np.float64], alert: Alert | None
) -> tuple[int, int]:
    """Which of an entity's series to believe, and out of how many like it it was picked.

    Those that share most label values with the alert compare best with it; of those, the one
    that rose most.
    """
    wanted = set(alert.labels) if alert else set()
    series = scene.recording.series
    shared = [len(wanted.intersection(series[place].labels)) for place in places]
    alike = [p for p, number in zip(places, shared, strict=True) if number == max(shared)]
    largest = float(max(rise_z[place] for place in alike))
    equal = [place for place in alike if rise_z[place] == largest]
    return min(equal, key=lambda place: series[place].key), len(alike)


def weigh(scene: Scene, view: View) -> dict[Entity, tuple[float, float]]:
    """Weight (0 to about 1.5) and own share (0 to 1) of every entity that was measured."""
    alerting = [entity for entity in scene.recording.alerting if entity in view.rises]
    known = scene.graph.callees
    on_the_way = reached(scene.graph, view, scene.recording.alerting) if known else set()
    weights = {}
    for entity in view.rises:
        own = own_share(scene.graph, view, entity)
        weight = (OWN_FLOOR + own) * (ACCOUNT_FLOOR + account(view, entity, alerting))
        if on_the_way and entity not in on_the_way:
            weight *= OFF_THE_WAY
        if entity.kind is EntityKind.EXTERNAL or entity in scene.graph.views:
            weight *= MERE_VIEW
        weights[entity] = (weight, own)
    return weights


def own_share(graph: CallGraph, view: View, entity: Entity) -> float:
    """One less the largest part of an entity's rise that a risen callee has too, a call each.

    0 for an entity of whose calls nothing is known, while others are or rose too: all of its
    rise may be that of callees nobody named.
    """
    size = view.rises[entity].size
    stranger = is_stranger(graph, entity)
    others = bool(graph.callees) or any(view.anomalous(one) for one in view.rises if one != entity)
    if size <= 0.0 or (stranger and others):
        return 0.0
    callees = graph.seen_callees(entity, lambda one: not view.hidden(one))
    shares = [view.rises[one].size / size for one in callees if view.anomalous(one)]
    return 1.0 - min(1.0, max(shares, default=0.0))


def is_stranger(graph: CallGraph, entity: Entity) -> bool:
    """Whether no call of or to an entity is known."""
    return entity not in graph.callees and entity not in graph.callers


def account(view: View, entity: Entity, alerting: list[Entity]) -> float:
    """Which part of the alerting entities' rise this one's could account for, 0 to 1.

    Its rise a call, times its calls per call of the alerting entity; 1 when nothing is known
    of the alerting ones, 0 when people saw another aspect suffer.
    """
    if not view.suffered:
        return 0.0
    if not alerting:
        return 1.0
    return max(accounts_for(view, entity, one) for one in alerting)


def accounts_for(view: View, entity: Entity, alerting: Entity) -> float:
    """The same for one alerting entity."""
    wanted = view.rises[alerting].size
    calls, base = view.calls.get(entity, 0.0), view.calls.get(alerting, 0.0)
    ratio = calls / base if calls > 0.0 and base > 0.0 else 1.0
    if wanted <= 0.0:
        return 0.0
    return min(1.0, view.rises[entity].size * ratio / wanted)


def reached(graph: CallGraph, view: View, alerting: tuple[Entity, ...]) -> set[Entity]:
    """Entities to which a way of risen or unobserved entities leads from an alerting one."""
    found = set(alerting)
    waiting = list(alerting)
    while waiting:
        for callee in graph.callees.get(waiting.pop(), ()):
            if callee not in found and (view.hidden(callee) or view.anomalous(callee)):
                found.add(callee)
                waiting.append(callee)
    return found


def part_of(own: float) -> str:
    """How much of a rise is an entity's own, 0 to 1, in words.

    >>> part_of(1.0), part_of(0.4)
    ('all of the rise is its own', '40% of the rise is its own, its callees have the rest')
    """
    share = f"{own:.0%}"
    if share == "100%":
        return "all of the rise is its own"
    if share == "0%":
        return "none of the rise is its own, its callees have it all"
    return f"{share} of the rise is its own, its callees have the rest"


def fact(entity: Entity, aspect: Aspect, rise: Rise, part: str, strength: float) -> Evidence:
    """The rise in words, with its figures; part says how much of it is its own."""
    ratio = aspect is Aspect.ERRORS
    unit, scale = ("%", 100.0) if ratio else ("ms", 1000.0)
    said = f"{rise.before * scale:.3g} {unit} to {rise.after * scale:.3g} {unit}"
    return Evidence(
        channel=Channel.SELF_SHARE,
        claim=(
            f"{WHAT[aspect]} of {entity} rose from {said} ({rise.z:.1f} times its usual spread);"
            f" {part}"
        ),
        strength=max(strength, 1e-9),
        entity=entity,
        unit="ratio" if ratio else "seconds",
        before=rise.before,
        after=rise.after,
        at=moment(rise.onset_s),
        series=(rise.series,),
    )
