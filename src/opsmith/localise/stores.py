"""Stores: a disk that ran full, a cache that lost its keys, more work than before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.resource import NOISE_Z
from opsmith.localise.scene import Scene
from opsmith.localise.weighing import weight_of
from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A share of calls this many times what it was is a surge.
SURGE = 2.0
FULL_DISK = 0.95
# From here on those behind a cache notice how many fall through: healthy ones miss less, and a
# lost one may still serve keys that are written anew all the time.
MANY = 0.25
USED, FREE = ("usage", "used"), ("avail", "available", "free")
WHOLE = ("limit", "size", "total", "capacity")
MISSES, HITS = ("misses", "miss"), ("hits", "hit")


def largest_rise(scene: Scene, rows: Sequence[tuple[int, Series]]) -> float:
    """The largest weight of a series that rose to more than `SURGE` times its level."""
    shifts = scene.shifts
    if shifts is None:
        return 0.0
    return max(
        (
            weight_of(float(shifts.rise_z[row]) / NOISE_Z)
            for row, _ in rows
            if float(shifts.high[row]) > SURGE * max(float(shifts.before[row]), 0.0)
        ),
        default=0.0,
    )


def disk_filled(scene: Scene, strength: float, entity: Entity) -> float:
    """Weight of a disk of the entity that was not full and now is, 0 without one.

    strength: the largest rise of its disks in units of noise; a full disk is at least there.
    """
    shifts = scene.shifts
    full = shifts is not None and any(
        before < FULL_DISK <= after for before, after in disk_shares(scene, entity)
    )
    return weight_of(max(strength, 1.0)) if full else 0.0


def disk_shares(scene: Scene, entity: Entity) -> Iterator[tuple[float, float]]:
    """The share in use of each disk before and at its fullest."""
    shifts = scene.shifts
    if shifts is None:
        return
    rows = scene.series_of(entity, Aspect.DISK)
    for row, one in rows:
        before, high = float(shifts.before[row]), float(shifts.high[row])
        if one.unit is Unit.RATIO:
            yield before, high
        for words, free in ((USED, False), (FREE, True)):
            whole = partner(rows, one, words, WHOLE)
            size = float(shifts.high[whole]) if whole is not None else 0.0
            if size > 0.0 and free:
                yield 1.0 - before / size, 1.0 - float(shifts.low[row]) / size
            elif size > 0.0:
                yield before / size, high / size


def cache_lost(scene: Scene, entity: Entity) -> float:
    """Weight of a cache whose readers miss far more often than before; else of its evictions."""
    rows = scene.series_of(entity, Aspect.CACHE)
    evicted = [pair for pair in rows if "evict" in pair[1].name.lower()]
    return max(largest_rise(scene, evicted), misses_grown(scene, rows))


def misses_grown(scene: Scene, rows: Sequence[tuple[int, Series]]) -> float:
    """Weight of the rise of the share of look-ups that miss, 0 unless many do now."""
    periods, weights, rows_of = scene.periods, [0.0], dict(rows)
    if periods is None:
        return 0.0

    def after_alarm(times_s: Vector) -> Mask:
        return periods.incident(times_s) & (times_s >= periods.alarm_s)

    for row, one in rows:
        hits = partner(rows, one, MISSES, HITS)
        if hits is None:
            missing = any(word in one.name.lower() for word in MISSES)
            weights.append(largest_rise(scene, [(row, one)]) if missing else 0.0)
            continue
        (missed0, hit0), (missed, hit) = (
            (counted(one, when), counted(rows_of[hits], when))
            for when in (periods.fault_free, after_alarm)
        )
        before, after = share(missed0, hit0), share(missed, hit)
        if after >= MANY and after > SURGE * before:
            deviation = 0.5 / float(np.sqrt(missed + hit))  # of a share of so many, at most
            weights.append(weight_of((after - before) / deviation))
    return max(weights)


def counted(one: Series, when: Callable[[Vector], Mask]) -> float:
    """How much a counter grew in some samples, resets from zero; the mean of a gauge there."""
    seen = np.isfinite(one.values)
    times_s, values = one.times_s[seen], one.values[seen]
    if one.kind is not MetricKind.COUNTER:
        chosen = values[when(times_s)]
        return float(chosen.mean()) if len(chosen) else 0.0
    grown = np.diff(values)
    grown = np.where(grown < 0.0, values[1:], grown)
    return float(grown[when(times_s[1:])].sum())


def share(part: float, rest: float) -> float:
    """The part of the whole, 0 of nothing."""
    whole = part + rest
    return part / whole if whole > 0.0 else 0.0


def partner(
    rows: Sequence[tuple[int, Series]], one: Series, mine: Sequence[str], theirs: Sequence[str]
) -> int | None:
    """The row of the series that is named as this one is but for one word, None without one.

    The word stands in the name or is the value of a label.
    """
    keys = {other.key: row for row, other in rows}
    for word in mine:
        for instead in theirs:
            for mark in (f"_{word}", f'="{word}'):
                if mark in one.key:
                    found = keys.get(one.key.replace(mark, mark.replace(word, instead)))
                    if found is not None:
                        return found
    return None
