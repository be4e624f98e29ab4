"""Kinds: what sort of fault the evidence about one entity speaks of.

Each kind gathers the strengths that argue for it; the strongest wins. A kind that explains the
others (a full pool explains failures, a change explains new behaviour) gathers theirs too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from opsmith.localise.findings import Findings
from opsmith.localise.gaps import short_of_processor
from opsmith.localise.restarts import LOOP, killed_for_memory, starts, unasked_starts
from opsmith.localise.scene import Scene
from opsmith.localise.stores import SURGE, cache_lost, disk_filled, largest_rise
from opsmith.localise.weighing import weight_of
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.series import Aspect, MetricKind
from opsmith.nouns.signals import Change, ChangeKind

# Strength from which a piece of evidence counts as there at all.
THERE = 1.0
# A deploy that precedes the alarm by more than an hour argues no longer.
NEAR_CHANGE = 0.05
# Memory that rises at this share of at least so many samples climbs; a sudden need rises once.
STEADY_SHARE = 0.4
LEAST_STEPS = 4
# OpenTelemetry log data model: severity numbers from here on are errors.
ERROR_SEVERITY = 17
DEPLOYS = {ChangeKind.DEPLOY, ChangeKind.INFRA, ChangeKind.SCALE, ChangeKind.OTHER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What argues for a kind, each at least 0, in units of noise."""

    cpu: float
    memory: float
    pool: float
    disk: float
    restarts: float
    failing: float
    edge_failing: float
    new_behaviour: float
    early_end: float
    slow_edges: float
    slow_itself: float
    change: float
    repeats: float


def kind_of(scene: Scene, findings: Sequence[Findings], entity: Entity) -> CauseKind:
    """The kind that the evidence about `entity` argues for most; `unknown` without any."""
    signs = read_signs(findings, entity)
    if entity.kind is EntityKind.EDGE:
        return edge_kind(signs)
    argued = arguments(scene, signs, entity)
    kind, weight = max(argued.items(), key=lambda item: item[1])
    return kind if weight >= THERE else CauseKind.UNKNOWN


def edge_kind(signs: Signs) -> CauseKind:
    """An edge is stormed by its caller, slow or cut."""
    if signs.repeats > 0.0:
        return CauseKind.RETRY_STORM
    if signs.edge_failing > signs.slow_edges:
        return CauseKind.NETWORK_RESETS
    return CauseKind.DEPENDENCY_SLOW if signs.slow_edges > 0.0 else CauseKind.UNKNOWN


def read_signs(findings: Sequence[Findings], entity: Entity) -> Signs:
    """Collect the columns that kinds are told by."""
    strength: dict[Channel, float] = {}
    column: dict[str, float] = {}
    for one in findings:
        strength[one.channel] = one.strength.get(entity, 0.0)
        for name, values in one.features.items():
            column[f"{one.channel}.{name}"] = values.get(entity, 0.0)

    def of(name: str) -> float:
        return column.get(name, 0.0)

    edges = strength.get(Channel.EDGE_GAP, 0.0) if entity.kind is EntityKind.EDGE else 0.0
    return Signs(
        cpu=of("resource.cpu"),
        memory=of("resource.memory"),
        pool=max(of("errors.pool"), of("resource.pool")),
        disk=of("resource.disk"),
        restarts=of("resource.restarts"),
        failing=max(strength.get(Channel.ERRORS, 0.0), of("event_pair.failure")),
        edge_failing=of("errors.edge"),
        new_behaviour=strength.get(Channel.EVENT_PAIR, 0.0),
        early_end=of("event_pair.early_end"),
        slow_edges=max(edges, of("edge_gap.edges_in")),
        slow_itself=of("edge_gap.own_time"),
        change=strength.get(Channel.CHANGE, 0.0),
        repeats=of("errors.repeats"),
    )


def arguments(scene: Scene, signs: Signs, entity: Entity) -> Mapping[CauseKind, float]:
    """How strongly each kind is argued for, in units of noise.

    Logarithms, so that a channel with large numbers does not decide alone.
    """
    behaviour = weight_of(signs.new_behaviour)
    failing = max(weight_of(signs.failing), behaviour if raises(scene, entity) else 0.0)
    slow = max(weight_of(signs.slow_edges), weight_of(signs.slow_itself))
    cpu, saturated = weight_of(signs.cpu), short_of_processor(scene, entity)
    killed = killed_for_memory(scene, entity)
    # Who is killed at a limit had filled it, whatever was usual before.
    memory = max(weight_of(signs.memory), THERE if killed else 0.0)
    begun = unasked_starts(scene, entity)
    restarts = max(weight_of(signs.restarts), weight_of(float(begun)) if begun >= LOOP else 0.0)
    if not begun and starts(scene, entity):
        restarts = 0.0  # rollouts explain every one
    deploy, config = changed(scene, signs, entity)
    trouble = max(failing, behaviour, slow)
    pool = together(weight_of(signs.pool), failing + behaviour + slow)
    # More work than before fills a pool, too; a full pool makes no more work.
    needy = max(trouble, pool) + (cpu if cpu >= THERE else 0.0)
    argued = {
        CauseKind.CPU_SATURATED: together(cpu, slow) if saturated else 0.0,
        CauseKind.CRASH_LOOP: together(restarts, trouble),
        CauseKind.POOL_EXHAUSTED: pool,
        CauseKind.DISK_FULL: together(disk_filled(scene, signs.disk, entity), trouble),
        CauseKind.DEPENDENCY_SLOW: weight_of(signs.slow_edges),
        CauseKind.CODE_EXCEPTION: failing,
        CauseKind.CODE_EARLY_RETURN: weight_of(signs.early_end) if failing < THERE else 0.0,
        CauseKind.CACHE_STAMPEDE: together(cache_lost(scene, entity), needy),
        CauseKind.RETRY_STORM: together(weight_of(signs.repeats), needy),
        CauseKind.TRAFFIC_SURGE: surge(scene, entity),
    }
    if killed:
        argued[CauseKind.CRASH_LOOP] = 0.0
    climbs = steady_climb(scene, entity)
    argued[CauseKind.MEMORY_LEAK] = together(memory, restarts + trouble) if climbs else 0.0
    argued[CauseKind.MEMORY_OOM] = memory + restarts if memory >= THERE <= restarts else 0.0
    # What changed just before is why all the rest came about.
    ill = max(*argued.values(), trouble) if signs.change >= THERE else trouble
    argued[CauseKind.DEPLOY_BAD] = together(deploy, ill)
    argued[CauseKind.CONFIG_BAD] = together(config, ill)
    return argued


def together(one: float, other: float) -> float:
    """The sum, when the first is more than noise."""
    return one + other if one >= weight_of(THERE) else 0.0


def changed(scene: Scene, signs: Signs, entity: Entity) -> tuple[float, float]:
    """Strength of a near deploy and of a near change of settings to this entity."""
    if signs.change < NEAR_CHANGE:
        return 0.0, 0.0
    mine: list[Change] = [one for one in scene.recording.changes if one.entity == entity]
    last = max(mine, key=lambda one: one.at)
    weight = weight_of(signs.change)
    return (weight, 0.0) if last.kind in DEPLOYS else (0.0, weight)


def raises(scene: Scene, entity: Entity) -> bool:
    """Whether more error lines than before are written inside this entity's spans."""
    logs, traces = scene.recording.logs, scene.traces
    if logs is None or traces is None or entity not in logs.entities:
        return False
    mine = (logs.entity == logs.entities.index(entity)) & (logs.span >= 0)
    mine &= logs.span < len(traces.parent)
    trace = traces.trace[logs.span[mine]]
    error = logs.severity[mine] >= ERROR_SEVERITY
    share_before, share_after = (
        float(np.sum(logs.weight[mine], where=error & when[trace]))
        / max(float(np.sum(logs.weight[mine], where=when[trace])), 1.0)
        for when in (traces.fault_free, traces.in_incident)
    )
    return share_after > SURGE * share_before


def steady_climb(scene: Scene, entity: Entity) -> bool:
    """Whether a memory gauge of the entity climbs through the incident, restarts apart."""
    periods = scene.periods
    for _, one in scene.series_of(entity, Aspect.MEMORY):
        inside = np.isfinite(one.values)
        if periods is not None:
            inside &= periods.incident(one.times_s)
        steps = np.diff(one.values[inside])
        rising = steps[steps > 0.0]
        if one.kind is MetricKind.GAUGE and len(steps) >= LEAST_STEPS:
            largest = float(rising.max(initial=0.0))
            total = float(rising.sum())
            if len(rising) >= STEADY_SHARE * len(steps) and largest < total / 2.0:
                return True
    return False


def surge(scene: Scene, entity: Entity) -> float:
    """Strength of a rise of the work that arrives, 0 unless it more than doubled."""
    return largest_rise(scene, scene.series_of(entity, Aspect.TRAFFIC))
