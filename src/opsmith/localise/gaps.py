"""Edge gaps and own time: where the seconds of slow traces went.

The gap of an edge is the caller's client span less the callee's server span: what the network
and the queue in front of the callee took. A delayed service shows on the edges into it; a
starved one on the edges into it and on its own time; a starved caller on all its edges out,
which is therefore taken off each of them. An edge is charged alone when the other edges into
its callee are sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.findings import Findings
from opsmith.localise.onset import is_granted
from opsmith.localise.periods import moment
from opsmith.localise.resource import NOISE_Z
from opsmith.localise.scene import Scene
from opsmith.localise.traces import CLIENT, Traces, refused
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.series import Aspect, Unit
from opsmith.numerics.robust import MAD_TO_SIGMA

# What scheduling and clocks add to a span; shorter times are not told apart (published
# constants: 100 us and 2 ms give the same ranking).
FLOOR_S = 5e-4
# Fewer spans than this on either side have no median worth the name.
LEAST_SPANS = 3
# The unit of noise of a log ratio of medians, and what a span without children counts, as it
# may wait for something that is not traced (published constants).
NOISE = 1.0
LEAF_WEIGHT = 0.5
# sqrt(pi / 2): by how much a median's standard error exceeds a mean's.
MEDIAN_EFFICIENCY = 1.2533
# A median absolute deviation of a few spans can be zero by chance; logarithms of times of one
# operation spread by this much in a quiet system.
LEAST_SIGMA = 0.5
# So many other edges out of a caller tell whether it is starved.
COMMON_EDGES = 1
# From this log ratio on an edge, or all edges out of an entity, count as stretched.
STRETCHED = 0.5
# The share of its processor time from which on work queues: at 0.8 it waits four times as long
# as it takes (M/M/1).
NEARLY_ALL = 0.8

Vector = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Median times of one group before and after, in seconds, and their natural log ratio."""

    before_s: float
    after_s: float
    ratio: float


Edges = dict[tuple[Entity, Entity], Stretch]


def gaps(scene: Scene) -> Findings:
    """Blame callees, edges and who is slow itself; strength is a log ratio over `NOISE`.

    Features: `edges_in` and `own_time`, the two parts of an entity's strength.
    """
    traces, periods = scene.traces, scene.periods
    if traces is None or periods is None:
        return Findings(channel=Channel.EDGE_GAP, strength={}, evidence={})
    under_way_s = times_under_way(traces)
    # A call that was refused a connection never left its caller: it tells nothing of the edge.
    left = np.isfinite(under_way_s)
    before = traces.before(periods.alarm_s)[traces.trace] & left
    after = traces.after(periods.alarm_s)[traces.trace] & left
    edges = edge_stretches(traces, before, after, under_way_s)
    own = own_stretches(traces, before, after, worst_out(edges))
    short = {one for pair in edges for one in pair if short_of_processor(scene, one)}
    net = without_starved_callers(edges, short)
    own_time = {entity: max(one.ratio, 0.0) for entity, (one, _) in own.items()}
    edges_in, alone = inward(net), dict[Entity, float]()
    if scene.edges_may_be_blamed():
        sound = {callee for _, callee in net if callee not in short and is_sound(edges, callee)}
        alone = lone_edges(net, sound)
        edges_in = shared_edges(net, edges_in, alone)
        own_time = without_waiting(net, own_time, sound)
    strength = {
        entity: (edges_in.get(entity, 0.0) + own_time.get(entity, 0.0)) / NOISE
        for entity in sorted({*edges_in, *own_time})
    }
    strength |= {edge: found / NOISE for edge, found in alone.items()}
    return Findings(
        channel=Channel.EDGE_GAP,
        strength={entity: found for entity, found in strength.items() if found > 0.0},
        evidence=facts(scene, edges, own, strength),
        features={"edges_in": edges_in, "own_time": own_time},
    )


def times_under_way(traces: Traces) -> Vector:
    """(n,) seconds of each span that it did not wait for a connection, at least 0.

    NaN where it never got one, or nobody knows how long one is waited for. Those who wait in
    vain wait as long as anybody does, so that taking that off leaves too little at most.
    """
    spans, waited = traces.spans, refused(traces)
    taken_s = np.where(waited, np.nan, spans.duration_s)
    in_vain = waited & spans.failed
    for owner in np.unique(spans.entity[in_vain]).tolist():
        mine = spans.entity == owner
        longest_s = float(np.nanmedian(spans.duration_s[in_vain & mine]))
        served = waited & ~spans.failed & mine
        taken_s[served] = np.maximum(spans.duration_s[served] - longest_s, 0.0)
    return np.asarray(np.where(waited, taken_s, np.nan_to_num(taken_s)))


def edge_stretches(traces: Traces, before: Mask, after: Mask, under_way_s: Vector) -> Edges:
    """The gap of every edge. before, after: (n,) which spans count on which side.

    under_way_s: (n,) seconds without waiting for a connection, of client spans without children.
    A caller's span is a client span when it says so or has one foreign child only. A client
    span without any child that names its callee is all gap; so is one to a queue, whose foreign
    child is whoever takes the message out later.
    """
    spans, parent = traces.spans, traces.parent
    lone = (traces.crossing[parent] == 1) | (spans.side[parent] == CLIENT)
    names, called = named_callees(traces)
    queued = to_queues(names, called)
    child = np.flatnonzero(traces.crosses & lone & ~queued[parent] & np.isfinite(spans.duration_s))
    unseen = np.flatnonzero((called >= 0) & ((traces.children == 0) | queued))
    caller = np.concatenate([spans.entity[parent[child]], spans.entity[unseen]])
    callee = np.concatenate([spans.entity[child], called[unseen]])
    gap_s = np.concatenate(
        [spans.duration_s[parent[child]] - spans.duration_s[child], under_way_s[unseen]]
    )
    row = np.concatenate([child, unseen])
    group = caller.astype(np.int64) * len(names) + callee
    found = stretches(group, np.maximum(gap_s, 0.0), before[row], after[row])
    return {(names[pair // len(names)], names[pair % len(names)]): one for pair, one in found}


def named_callees(traces: Traces) -> tuple[tuple[Entity, ...], Rows]:
    """All entities, and for each span the number of the one its attributes say it calls, or -1."""
    spans = traces.spans
    names = {entity: number for number, entity in enumerate(spans.entities)}
    numbers = []
    for attributes in spans.attribute_sets:
        told = dict(attributes).get("callee", "")
        known = told.partition(":")[0] in set(EntityKind) and bool(told.partition(":")[2])
        numbers.append(names.setdefault(Entity.parse(told), len(names)) if known else -1)
    called = np.array(numbers, dtype=np.int64)[spans.attributes]
    return tuple(names), np.where(spans.side == CLIENT, called, -1)


def to_queues(names: tuple[Entity, ...], called: Rows) -> Mask:
    """(n,) which spans put something into a queue, or call it otherwise."""
    queues = [number for number, one in enumerate(names) if one.kind is EntityKind.QUEUE]
    return np.isin(called, queues)


def worst_out(edges: Edges) -> dict[Entity, float]:
    """The largest log ratio among the edges out of each caller."""
    worst: dict[Entity, float] = {}
    for (caller, _), one in edges.items():
        worst[caller] = max(worst.get(caller, 0.0), one.ratio)
    return worst


def calling_out(traces: Traces) -> Mask:
    """(n,) which spans have a child that calls, or is, another entity."""
    calls = traces.crosses | (traces.crossing > 0)
    out = np.zeros(len(calls), dtype=np.bool_)
    out[traces.parent[calls & (traces.parent >= 0)]] = True
    return out


def own_stretches(
    traces: Traces, before: Mask, after: Mask, worst: dict[Entity, float]
) -> dict[Entity, tuple[Stretch, str]]:
    """Each entity's operation whose own time stretched most, and its name.

    Own time is told apart from edge time only where no child belongs to another entity. An
    operation that calls out waits around its calls too (for the rest of an answer, for a
    connection), so the stretch of the caller's worst edge is taken off its own.
    """
    spans = traces.spans
    _, called = named_callees(traces)
    kind = spans.entity.astype(np.int64) * len(spans.operations) + spans.operation
    calling = frozenset(np.unique(kind[calling_out(traces)]).tolist())
    found: dict[Entity, tuple[Stretch, str]] = {}
    finished = np.isfinite(spans.duration_s) & (traces.crossing == 0) & (called < 0)
    for leaf, weight in ((False, 1.0), (True, LEAF_WEIGHT)):
        row = np.flatnonzero(finished & ((traces.children == 0) == leaf))
        own_s = np.maximum(spans.duration_s[row] - traces.inside_s[row], 0.0)
        for pair, one in stretches(kind[row], own_s, before[row], after[row]):
            owner, operation = divmod(pair, len(spans.operations))
            entity, name = spans.entities[owner], spans.operations[operation]
            waited = worst.get(entity, 0.0) if pair in calling else 0.0
            ratio = weight * one.ratio - waited
            weighed = Stretch(before_s=one.before_s, after_s=one.after_s, ratio=ratio)
            if entity not in found or weighed.ratio > found[entity][0].ratio:
                found[entity] = (weighed, name)
    return found


def stretches(
    group: Rows, value_s: Vector, before: Mask, after: Mask
) -> Iterator[tuple[int, Stretch]]:
    """The groups with enough spans on both sides, rising, and how their median stretched.

    The log ratio is shrunk by its own uncertainty, so that a few slow spans are not a slow
    service: by the positive part of 1 - (standard error / ratio)^2.
    Source: James & Stein (1961), positive-part form, of one mean at a time.
    """
    known = np.isfinite(value_s) & (value_s >= 0.0)
    groups, number = np.unique(group, return_inverse=True)
    (before_s, before_n, before_se), (after_s, after_n, after_se) = (
        group_centres(number[side & known], value_s[side & known], len(groups))
        for side in (before, after)
    )
    enough = (before_n >= LEAST_SPANS) & (after_n >= LEAST_SPANS)
    ratio = np.log((after_s + FLOOR_S) / (before_s + FLOOR_S))
    error = before_se**2 + after_se**2
    kept = 1.0 - np.divide(error, ratio**2, out=np.ones_like(ratio), where=enough & (ratio != 0.0))
    for place in np.flatnonzero(enough).tolist():
        yield (
            int(groups[place]),
            Stretch(
                before_s=float(before_s[place]),
                after_s=float(after_s[place]),
                ratio=float(ratio[place] * max(kept[place], 0.0)),
            ),
        )


def group_centres(number: Rows, value_s: Vector, count: int) -> tuple[Vector, Rows, Vector]:
    """Median and size of each group 0 to count - 1, and the standard error of its logarithm.

    The error is that of a Gaussian median, 1.2533 sigma / sqrt(n), sigma being the scaled
    median absolute deviation of the logarithms, at least `LEAST_SIGMA`.
    """
    median, size = group_medians(number, value_s, count)
    distance = np.abs(np.log((value_s + FLOOR_S) / (median[number] + FLOOR_S)))
    spread, _ = group_medians(number, distance, count)
    sigma = np.fmax(MAD_TO_SIGMA * spread, LEAST_SIGMA)
    return median, size, MEDIAN_EFFICIENCY * sigma / np.sqrt(np.maximum(size, 1))


def group_medians(number: Rows, value: Vector, count: int) -> tuple[Vector, Rows]:
    """Median and size of each group 0 to count - 1; NaN for an empty one."""
    order = np.lexsort((value, number))
    ordered = value[order]
    size = np.bincount(number, minlength=count)
    start = np.cumsum(size) - size
    some = size > 0
    low, high = (start + (size - 1) // 2)[some], (start + size // 2)[some]
    median = np.full(count, np.nan)
    median[some] = (ordered[low] + ordered[high]) / 2.0
    return median, size


Charges = dict[tuple[Entity, Entity], float]


def without_starved_callers(edges: Edges, short: set[Entity]) -> Charges:
    """Each edge's log ratio less what the caller's other edges out show too (their median).

    Nothing is left of an edge whose caller is short of processor time: it waits by itself.
    """
    out: dict[Entity, list[float]] = {}
    for (caller, _), one in edges.items():
        out.setdefault(caller, []).append(one.ratio)
    net: Charges = {}
    for (caller, callee), one in edges.items():
        others = list(out[caller])
        others.remove(one.ratio)
        common = max(float(np.median(others)), 0.0) if len(others) >= COMMON_EDGES else 0.0
        net[caller, callee] = min(one.ratio, 0.0) if caller in short else one.ratio - common
    return net


def inward(net: Charges) -> dict[Entity, float]:
    """Mean over the edges into each callee, at least 0."""
    by_callee: dict[Entity, list[float]] = {}
    for (_, callee), ratio in net.items():
        by_callee.setdefault(callee, []).append(ratio)
    return {callee: max(float(np.mean(found)), 0.0) for callee, found in by_callee.items()}


def short_of_processor(scene: Scene, entity: Entity) -> bool:
    """Whether an entity lacks processor time: throttled, or near to what it is granted.

    Where nobody knows what that is, a rise beyond noise is taken for it.
    """
    shifts = scene.shifts
    if shifts is None:
        return False
    rows = scene.series_of(entity, Aspect.CPU)
    granted = [row for row, one in rows if is_granted(one)]
    cores = max((float(shifts.high[row]) for row in granted), default=np.nan)
    known = bool(np.isfinite(cores))
    all_of_it = {Unit.SECONDS: cores, Unit.RATIO: 1.0}
    return any(
        float(shifts.rise_z[row]) >= NOISE_Z
        and (
            not known
            or "throttl" in one.name
            or float(shifts.high[row]) >= NEARLY_ALL * all_of_it.get(one.unit, np.inf)
        )
        for row, one in rows
        if row not in granted
    )


def is_sound(edges: Edges, entity: Entity) -> bool:
    """Whether an entity itself is well, so that its edges are to blame for what is slow on them.

    One whose own calls all take longer is starved. A service of whose calls nothing is known
    may be; a store is charged only by what several of its callers see.
    """
    out = [one.ratio for (caller, _), one in edges.items() if caller == entity]
    if not out:
        return entity.kind is not EntityKind.SERVICE
    return min(out) < STRETCHED


def lone_edges(net: Charges, sound: set[Entity]) -> dict[Entity, float]:
    """What is an edge's alone: into a sound callee, and not on the other edges into it."""
    into: dict[Entity, list[float]] = {}
    for (_, callee), ratio in net.items():
        into.setdefault(callee, []).append(ratio)
    found = {}
    for (caller, callee), ratio in net.items():
        others = list(into[callee])
        others.remove(ratio)
        left = ratio - (max(float(np.mean(others)), 0.0) if others else 0.0)
        if left > 0.0 and callee in sound:
            found[Entity.edge(caller.name, callee.name)] = left
    return found


def without_waiting(
    net: Charges, own_time: dict[Entity, float], sound: set[Entity]
) -> dict[Entity, float]:
    """Own times less those of sound callees behind a stretched edge.

    A server span that began while its request was still under way counts the rest of the
    transfer as its own time.
    """
    behind = {callee for (_, callee), ratio in net.items() if ratio >= STRETCHED}
    return {
        entity: 0.0 if entity in behind & sound else found for entity, found in own_time.items()
    }


def shared_edges(
    net: Charges, edges_in: dict[Entity, float], alone: dict[Entity, float]
) -> dict[Entity, float]:
    """What the edges into a callee have in common: the mean less what single edges answer for."""
    largest: dict[Entity, float] = {}
    for caller, callee in net:
        edge = alone.get(Entity.edge(caller.name, callee.name), 0.0)
        largest[callee] = max(largest.get(callee, 0.0), edge)
    return {callee: max(found - largest[callee], 0.0) for callee, found in edges_in.items()}


def facts(
    scene: Scene,
    edges: Edges,
    own: dict[Entity, tuple[Stretch, str]],
    strength: dict[Entity, float],
) -> dict[Entity, tuple[Evidence, ...]]:
    """The stretched edges and own times behind each strength, largest first."""
    at = moment(scene.periods.alarm_s) if scene.periods else None
    found: dict[Entity, list[Evidence]] = {}

    def add(entity: Entity, one: Stretch, what: str) -> None:
        if one.ratio <= 0.0 or strength.get(entity, 0.0) <= 0.0:
            return
        found.setdefault(entity, []).append(
            Evidence(
                channel=Channel.EDGE_GAP,
                claim=f"{what} went from {one.before_s * 1e3:.3g} ms to {one.after_s * 1e3:.3g} ms"
                " in the median",
                strength=one.ratio / NOISE,
                entity=entity,
                unit="seconds",
                before=one.before_s,
                after=one.after_s,
                at=at,
            )
        )

    for (caller, callee), one in edges.items():
        what = f"time between {caller} and {callee}, outside both,"
        add(callee, one, what)
        add(Entity.edge(caller.name, callee.name), one, what)
    for entity, (one, operation) in own.items():
        add(entity, one, f"own time of {entity} in `{operation}`")
    return {
        entity: tuple(sorted(ones, key=lambda one: -one.strength))
        for entity, ones in found.items()
    }
