"""Failures: who fails by itself, rather than because somebody it called did.

A failed span without a failed child is where a failure began. A client span that fails while
its callee saw no failure is charged to the edge; unless the caller's own pool refused it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.findings import Findings
from opsmith.localise.lost_calls import begun, called_by
from opsmith.localise.periods import Periods, moment
from opsmith.localise.repeats import repeats
from opsmith.localise.restarts import starts
from opsmith.localise.rise import NOISE_G, Side, compare
from opsmith.localise.scene import Scene
from opsmith.localise.traces import Traces, refused
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import Logs

Rows = NDArray[np.int64]
Vector = NDArray[np.float64]

# OpenTelemetry log data model: severity numbers from here on are errors.
ERROR_SEVERITY = 17
# Error lines outside spans are counted as slots of so many seconds that hold any: one failure
# writes many lines.
SLOT_S = 10.0
# What a callee is charged with a failing edge that may as well be the edge's own trouble.
CALLEE_SHARE = 0.7
# From so many callees on a caller may be what they have in common; then each of them is charged
# with this share.
SEVERAL = 2
COMMON_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """k of n traces or slots before and after, and the score of the rise."""

    before: tuple[float, float]
    after: tuple[float, float]
    score: float


def failures(scene: Scene) -> Findings:
    """Blame those in whom failures begin; strength is the score of the rise over `NOISE_G`.

    Features: `edge`, the strength of failures that the callee did not see; `pool`, of calls
    refused by a full pool; `repeats`, how often a caller repeats each call after a failure.
    """
    strength: defaultdict[Entity, float] = defaultdict(float)
    evidence: defaultdict[Entity, list[Evidence]] = defaultdict(list)
    features: dict[str, dict[Entity, float]] = {"edge": {}, "pool": {}}
    features["repeats"] = repeats_by_entity(scene)
    for charge in charges(scene):
        found = charge.share * charge.count.score / NOISE_G
        strength[charge.entity] = max(strength[charge.entity], found)
        evidence[charge.entity].append(fact(scene, charge, found))
        if charge.column:
            features[charge.column][charge.entity] = charge.count.score / NOISE_G
    return Findings(
        channel=Channel.ERRORS,
        strength=dict(strength),
        evidence={
            entity: tuple(sorted(facts, key=lambda one: -one.strength))
            for entity, facts in evidence.items()
        },
        features=features,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A count held against an entity. what: what was counted; column: feature it goes into."""

    entity: Entity
    count: Count
    what: str
    share: float = 1.0
    column: str = ""


def charges(scene: Scene) -> Iterator[Charge]:
    """All that failed more often than before, and who answers for it."""
    periods = scene.periods
    if periods is None:
        return
    found = own_failures(scene.traces, periods)
    losers = common_callers(scene.traces, found)
    shared = lost_by_others(scene.traces, periods) if scene.edges_may_be_blamed() else {}
    for owner, count in losers.items():
        what = f"calls from {owner} to most of those it calls that failed without them failing"
        yield Charge(entity=owner, count=count, what=what)
    for (owner, callee), count in found.items():
        if callee is None:
            what = f"operations of {owner} that failed by themselves"
            yield Charge(entity=owner, count=count, what=what)
            continue
        what = f"calls from {owner} to {callee} that failed without {callee} failing"
        edge = Entity.edge(owner.name, callee.name)
        # A callee that was not there is the reason; else it may as well be the way to it, the
        # more so the fewer calls it loses of others.
        alike = shared.get((owner, callee), 1.0)
        theirs, between = (
            (1.0, CALLEE_SHARE) if starts(scene, callee) else (CALLEE_SHARE * alike, 1.0)
        )
        worth = COMMON_SHARE if owner in losers else 1.0
        yield Charge(entity=callee, count=count, what=what, share=worth * theirs, column="edge")
        if scene.edges_may_be_blamed():
            yield Charge(entity=edge, count=count, what=what, share=worth * between, column="edge")
    for owner, count in full_pools(scene.traces, periods).items():
        what = f"operations of {owner} that found its pool exhausted"
        yield Charge(entity=owner, count=count, what=what, column="pool")
    for owner, count in error_lines(scene.recording.logs, periods).items():
        what = f"slots of {SLOT_S:.0f} s with error lines of {owner} outside any trace"
        yield Charge(entity=owner, count=count, what=what)


def common_callers(
    traces: Traces | None, found: Mapping[tuple[Entity, Entity | None], Count]
) -> dict[Entity, Count]:
    """Who loses calls to several callees and to most of its own, with all of them together.

    One caller is likelier than as many callees at once.
    """
    known: defaultdict[Entity, set[Entity]] = defaultdict(set)
    for caller, callee in traces.calls() if traces else ():
        known[caller].add(callee)
    lost: defaultdict[Entity, list[Count]] = defaultdict(list)
    for (owner, other), count in found.items():
        if other is not None and count.score > NOISE_G:
            lost[owner].append(count)
    return {
        owner: summed(counts)
        for owner, counts in lost.items()
        if len(counts) >= SEVERAL and 2 * len(counts) > len(known[owner])
    }


def lost_by_others(traces: Traces | None, periods: Periods) -> dict[tuple[Entity, Entity], float]:
    """By caller and callee: how much of the caller's share of lost calls other callers lose too.

    Since the alarm, at most 1. Half a lost call is added to those of the others, so that a few
    that went well tell little; a callee without another caller is left out.
    """
    if traces is None or not traces.spans.failed.any():
        return {}
    names, callee, began = begun(traces)
    row = np.flatnonzero((callee >= 0) & traces.after(periods.alarm_s)[traces.trace])
    pair = traces.spans.entity[row].astype(np.int64) * len(names) + callee[row]
    pairs, number = np.unique(pair, return_inverse=True)
    weight = traces.weight[traces.trace[row]]
    ran = np.bincount(number, weights=weight, minlength=len(pairs))
    lost = np.bincount(number, weights=weight * began[row], minlength=len(pairs))
    found: dict[tuple[Entity, Entity], float] = {}
    for place in np.flatnonzero(lost > 0.0).tolist():
        caller, called = divmod(int(pairs[place]), len(names))
        others = (pairs % len(names) == called) & (pairs != pairs[place])
        if others.any():
            share = (float(lost[others].sum()) + 0.5) / (float(ran[others].sum()) + 1.0)
            alike = min(share * float(ran[place] / lost[place]), 1.0)
            found[names[caller], names[called]] = alike
    return found


def summed(counts: Sequence[Count]) -> Count:
    """The sum of several counts, and the score of its rise."""
    k0, n0 = (float(sum(one.before[side] for one in counts)) for side in (0, 1))
    k1, n1 = (float(sum(one.after[side] for one in counts)) for side in (0, 1))
    _, score = compare(*(np.array([value]) for value in (k0, n0, k1, n1)))
    return Count(before=(k0, n0), after=(k1, n1), score=float(score[0]))


def repeats_by_entity(scene: Scene) -> dict[Entity, float]:
    """Repeats a call of each caller that storms, and of the edge that it storms over."""
    found: dict[Entity, float] = {}
    if scene.traces is None or scene.periods is None or not scene.traces.spans.failed.any():
        return found
    names, called = called_by(scene.traces)
    for (caller, callee), often in repeats(scene.traces, scene.periods, names, called).items():
        found[caller] = max(found.get(caller, 0.0), often)
        found[Entity.edge(caller.name, callee.name)] = often
    return found


def own_failures(
    traces: Traces | None, periods: Periods
) -> dict[tuple[Entity, Entity | None], Count]:
    """Failures that began in an entity, or between it and a callee (then the second is set)."""
    if traces is None or not traces.spans.failed.any():
        return {}
    names, callee, began = begun(traces)
    kind = traces.spans.entity.astype(np.int64) * (len(names) + 1) + callee + 1
    found = {}
    for group, count in counted(traces, periods, kind, began).items():
        owner, other = divmod(group, len(names) + 1)
        found[names[owner], names[other - 1] if other else None] = count
    return found


def full_pools(traces: Traces | None, periods: Periods) -> dict[Entity, Count]:
    """How often each entity found its pool exhausted."""
    if traces is None:
        return {}
    marked = refused(traces)
    if not marked.any():
        return {}
    found = counted(traces, periods, traces.spans.entity.astype(np.int64), marked)
    return {traces.spans.entities[owner]: count for owner, count in found.items()}


def counted(
    traces: Traces, periods: Periods, kind: Rows, marked: NDArray[np.bool_]
) -> dict[int, Count]:
    """For each kind of span with marks: traces with a marked one, of traces with any.

    The best of the candidate onsets; kinds that did not rise are left out.
    """
    kinds, number = np.unique(kind, return_inverse=True)
    size = len(traces.began_s)
    ran = np.unique(number * size + traces.trace)
    hit = np.unique((number * size + traces.trace)[marked])
    found: dict[int, Count] = {}
    for onset_s in periods.onsets_s():
        before = Side.of(traces, traces.before(onset_s))
        after = Side.of(traces, traces.after(onset_s))
        k0, n0, k1, n1 = (
            side.count(rows // size, rows % size, len(kinds))
            for side in (before, after)
            for rows in (hit, ran)
        )
        _, score = compare(k0, n0, k1, n1)
        for place in np.flatnonzero(score > 0.0).tolist():
            old = found.get(int(kinds[place]))
            if old is None or score[place] > old.score:
                found[int(kinds[place])] = Count(
                    before=(float(k0[place]), float(n0[place])),
                    after=(float(k1[place]), float(n1[place])),
                    score=float(score[place]),
                )
    return found


def error_lines(logs: Logs | None, periods: Periods) -> dict[Entity, Count]:
    """Slots with error lines that belong to no span, before and after the alarm's lead."""
    if logs is None or not len(logs.at_s):
        return {}
    slot = np.floor(logs.at_s / SLOT_S).astype(np.int64)
    slots = np.unique(slot)
    at_s = (slots * SLOT_S).astype(np.float64)
    before = periods.fault_free(at_s)
    after = periods.incident(at_s) & (at_s >= periods.onsets_s()[0])
    error = (logs.severity >= ERROR_SEVERITY) & (logs.span < 0)
    place = np.searchsorted(slots, slot[error])
    hit = np.unique(logs.entity[error].astype(np.int64) * len(slots) + place)
    owner, when = hit // len(slots), hit % len(slots)
    count = len(logs.entities)
    k0 = np.bincount(owner[before[when]], minlength=count).astype(np.float64)
    k1 = np.bincount(owner[after[when]], minlength=count).astype(np.float64)
    n0, n1 = np.full(count, float(before.sum())), np.full(count, float(after.sum()))
    _, score = compare(k0, n0, k1, n1)
    return {
        logs.entities[row]: Count(
            before=(float(k0[row]), float(n0[row])),
            after=(float(k1[row]), float(n1[row])),
            score=float(score[row]),
        )
        for row in np.flatnonzero(score > 0.0).tolist()
    }


def fact(scene: Scene, charge: Charge, strength: float) -> Evidence:
    """A count in words."""
    (k0, n0), (k1, n1) = charge.count.before, charge.count.after
    return Evidence(
        channel=Channel.ERRORS,
        claim=f"{charge.what}: {k1:.0f} of {n1:.0f}, before {k0:.0f} of {n0:.0f}",
        strength=strength,
        entity=charge.entity,
        unit="ratio",
        before=k0 / n0,
        after=k1 / n1,
        at=moment(scene.periods.alarm_s) if scene.periods else None,
    )
