"""Held: a pool that fills because the calls made with its connections became slow.

By Little's law the connections in use are the calls a second times the seconds that each is held.
Where the calls that were served take R times as long, R times as many connections are in use, and
1 / R of them would be without the slow calls: that share stays the owner's, the rest of what the
full pool shows (its level, refusals, operations that fail by them) is the slow edge's doing.
A leak looks different: the calls that still get a connection are as fast as ever.
Source: Little (1961), A Proof for the Queuing Formula L = λW.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from opsmith.localise.findings import Findings
from opsmith.localise.gaps import NOISE
from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.series import Aspect

# From this strength on, in units of noise, a pool counts as full.
THERE = 1.0
# What a full pool raises beside itself: the connections are files, the callers queue.
WITH_IT = frozenset(map(str, (Aspect.POOL, Aspect.FILES, Aspect.QUEUE)))

Shares = Mapping[Entity, float]


def without_held(findings: Sequence[Findings]) -> tuple[Findings, ...]:
    """The findings, with what slow calls do to their caller's pool left out of its strengths."""
    kept = kept_shares(findings)
    if not kept:
        return tuple(findings)
    return tuple(_lessened(one, kept) for one in findings)


def kept_shares(findings: Sequence[Findings]) -> dict[Entity, float]:
    """The part, above 0 and below 1, of a full pool's signs that remains its owner's."""
    pools: dict[Entity, float] = {}
    for one in findings:
        for entity, value in one.features.get("pool", {}).items():
            pools[entity] = max(pools.get(entity, 0.0), value)
    slow: dict[str, float] = {}
    for one in findings:
        if one.channel is Channel.EDGE_GAP:
            for edge, value in one.strength.items():
                if edge.kind is EntityKind.EDGE:
                    caller = edge.name.partition("->")[0]
                    slow[caller] = max(slow.get(caller, 0.0), value * NOISE)
    return {
        entity: math.exp(-slow[entity.name])
        for entity, value in pools.items()
        if value >= THERE and entity.name in slow
    }


def _lessened(one: Findings, kept: Shares) -> Findings:
    changed = {
        entity: strength
        for entity, share in kept.items()
        if (strength := _left(one, entity, share)) < one.strength.get(entity, 0.0)
    }
    if not changed:
        return one
    evidence = {
        entity: tuple(replace(fact, strength=fact.strength * kept[entity]) for fact in facts)
        for entity, facts in one.evidence.items()
        if entity in changed
    }
    return replace(
        one, strength={**one.strength, **changed}, evidence={**one.evidence, **evidence}
    )


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
