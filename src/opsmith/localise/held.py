"""Held: a pool that fills because the calls made with its connections became slow.

By Little's law the connections in use are the calls a second times the seconds that each is held.
Where the calls that were served take R times as long, R times as many connections are in use, and
1 / R of them would be without the slow calls: that share stays the owner's, the rest of what the
full pool shows (its level, refusals, operations that fail by them) is the slow edge's doing, and
counts for it.
A leak looks different: the calls that still get a connection are as fast as ever.
Source: Little (1961), A Proof for the Queuing Formula L = λW.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from opsmith.localise.findings import Findings
from opsmith.localise.gaps import NOISE
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.series import Aspect

# From this strength on, in units of noise, a pool counts as full.
THERE = 1.0
# What a full pool raises beside itself: the connections are files, the callers queue.
WITH_IT = frozenset(map(str, (Aspect.POOL, Aspect.FILES, Aspect.QUEUE)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose slow calls hold a pool. kept: the part of the pool's signs that stays its owner's."""

    edge: Entity
    kept: float


Holders = Mapping[Entity, Holder]


def with_holders(findings: Sequence[Findings]) -> tuple[Findings, ...]:
    """The findings, with what slow calls do to their caller's pool charged to the slow edge."""
    holders = holders_of(findings)
    if not holders:
        return tuple(findings)
    return tuple(_moved(one, holders) for one in findings)


def holders_of(findings: Sequence[Findings]) -> dict[Entity, Holder]:
    """Who holds each full pool whose owner makes calls that became slow; kept lies in (0, 1)."""
    pools: dict[Entity, float] = {}
    for one in findings:
        for entity, value in one.features.get("pool", {}).items():
            pools[entity] = max(pools.get(entity, 0.0), value)
    slow: dict[str, tuple[float, Entity]] = {}
    for one in findings:
        if one.channel is Channel.EDGE_GAP:
            for edge, value in one.strength.items():
                if edge.kind is EntityKind.EDGE:
                    caller = edge.name.partition("->")[0]
                    slow[caller] = max(slow.get(caller, (0.0, edge)), (value * NOISE, edge))
    return {
        entity: Holder(edge=slow[entity.name][1], kept=math.exp(-slow[entity.name][0]))
        for entity, value in pools.items()
        if value >= THERE and entity.name in slow
    }


def _moved(one: Findings, holders: Holders) -> Findings:
    strength, evidence = dict(one.strength), dict(one.evidence)
    for owner, holder in holders.items():
        whole = one.strength.get(owner, 0.0)
        left = _left(one, owner, holder.kept)
        if left >= whole:
            continue
        facts = one.evidence.get(owner, ())
        strength[owner] = left
        evidence[owner] = _times(facts, holder.kept)
        strength[holder.edge] = max(strength.get(holder.edge, 0.0), whole - left)
        passed = _times(facts, 1.0 - holder.kept)
        evidence[holder.edge] = (*evidence.get(holder.edge, ()), *passed)
    return replace(one, strength=strength, evidence=evidence)


def _times(facts: Sequence[Evidence], share: float) -> tuple[Evidence, ...]:
    return tuple(replace(fact, strength=fact.strength * share) for fact in facts)


def _left(one: Findings, entity: Entity, share: float) -> float:
    """An owner's strength in one channel, without what its full pool accounts for."""
    whole = one.strength.get(entity, 0.0)
    told = {name: values.get(entity, 0.0) for name, values in one.features.items()}
    if one.channel is Channel.RESOURCE:
        others = max((v for name, v in told.items() if name not in WITH_IT), default=0.0)
        return min(whole, max(others, whole * share))
    pooled = {Channel.ERRORS: "pool", Channel.EVENT_PAIR: "failure"}.get(one.channel)
    if pooled is not None and told.get(pooled, 0.0) >= whole:
        return whole * share
    return whole
