"""Synthetic faults on real clean series: what a detector finds when the truth is known.

Eight kinds, seeded. A fault's size is a multiple of the clean series' own range (1 to 99 %),
so that a person who looks at a plot of the week would see it; none is put into the warm-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY_S = 86400.0
LEAST_DAYS = 6.0
LEAST_POINTS = 24  # an hourly series shows nothing in less than a day


@dataclass(frozen=True, kw_only=True)
class Clean:
    """A stretch of a real series in which nobody labelled anything. times_s, values: (n,)."""

    name: str
    times_s: Floats
    values: Floats

    @property
    def step_s(self) -> float:
        """The median distance of two samples in seconds."""
        return float(np.median(np.diff(self.times_s)))


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """A clean series with one fault in rows first to last (both included)."""

    kind: str
    clean: Clean
    values: Floats
    first: int
    last: int


def _level(y: Floats, scale: float, day: int, rng: np.random.Generator) -> Floats:
    """Everything moves up or down by 1 to 1.5 ranges."""
    del day
    return y + rng.choice((-1.0, 1.0)) * rng.uniform(1.0, 1.5) * scale


def _spread(y: Floats, scale: float, day: int, rng: np.random.Generator) -> Floats:
    """Noise of 0.5 to 1 range (standard deviation) is added."""
    del day
    return y + rng.normal(0.0, rng.uniform(0.5, 1.0) * scale, len(y))


def _drift(y: Floats, scale: float, day: int, rng: np.random.Generator) -> Floats:
    """A straight line that ends 1.5 to 3 ranges away."""
    del day
    return y + rng.choice((-1.0, 1.0)) * rng.uniform(1.5, 3.0) * scale * np.linspace(0, 1, len(y))


def _stuck(y: Floats, scale: float, day: int, rng: np.random.Generator) -> Floats:
    """The value stays what it was."""
    del scale, day, rng
    return np.full(len(y), y[0])


def _missing_cycle(y: Floats, scale: float, day: int, rng: np.random.Generator) -> Floats:
    """The daily pattern stays away: the median with the noise that was there."""
    del scale, day
    noise = np.diff(y, prepend=y[0])
    return np.full(len(y), np.median(y)) + rng.permutation(noise - np.median(noise))


def _changed_cycle(y: Floats, scale: float, day: int, rng: np.random.Generator) -> Floats:
    """The daily pattern comes a third of a day to two thirds late."""
    del scale
    return np.roll(y, int(day * rng.uniform(1 / 3, 2 / 3)))


def _slow_leak(y: Floats, scale: float, day: int, rng: np.random.Generator) -> Floats:
    """A saw: grows to 2 to 4 ranges, falls back (a restart), grows again."""
    del day
    saw = np.linspace(0, 2, len(y), endpoint=False) % 1.0
    return y + rng.uniform(2.0, 4.0) * scale * saw


def _burst(y: Floats, scale: float, day: int, rng: np.random.Generator) -> Floats:
    """A tenth of the points jump by 1.5 to 3 ranges."""
    del day
    hit = rng.random(len(y)) < 0.1
    hit[0] = True
    return y + hit * rng.uniform(1.5, 3.0) * scale


# Kind: how it is made, its length in days, and whether it needs a daily cycle to break.
KINDS: dict[str, tuple[Callable[[Floats, float, int, np.random.Generator], Floats], float, bool]]
KINDS = {
    "level": (_level, 0.5, False),
    "spread": (_spread, 0.5, False),
    "drift": (_drift, 1.5, False),
    "stuck": (_stuck, 0.5, False),
    "missing cycle": (_missing_cycle, 1.0, True),
    "changed cycle": (_changed_cycle, 1.0, True),
    "slow leak": (_slow_leak, 2.0, False),
    "burst": (_burst, 0.25, False),
}


def clean_stretch(
    times_s: Floats,
    values: Floats,
    labels: NDArray[np.bool_],
    *,
    name: str,
) -> Clean | None:
    """The longest stretch that nobody labelled, at least LEAST_DAYS long and not constant."""
    edges = np.concatenate(([-1], np.flatnonzero(labels), [len(values)]))
    longest = int(np.argmax(np.diff(edges)))
    part = slice(edges[longest] + 1, edges[longest + 1])
    t, y = times_s[part], values[part]
    t, rows = np.unique(t, return_index=True)
    y = y[rows]
    long_enough = len(y) >= 600 and t[-1] - t[0] >= LEAST_DAYS * DAY_S
    return Clean(name=name, times_s=t, values=y) if long_enough and _range(y) > 0 else None


def inject(clean: Clean, *, seed: int, each: int = 1) -> Iterator[Faulty]:
    """`each` faults of every kind that fits, one a copy, in the last 40 % of the series."""
    rng = np.random.default_rng(seed)
    day = max(1, round(DAY_S / clean.step_s))
    for kind, (make, days, needs_cycle) in KINDS.items():
        length = max(round(days * day), LEAST_POINTS)
        earliest = int(0.6 * len(clean.values))
        if earliest + length >= len(clean.values):
            continue
        if needs_cycle and not has_daily_cycle(clean, day):
            continue
        if kind == "stuck" and _longest_rest(clean.values) > length / 4:
            continue
        for _ in range(each):
            first = int(rng.integers(earliest, len(clean.values) - length))
            values = clean.values.copy()
            part = slice(first, first + length)
            values[part] = _bounded(make(values[part], _range(clean.values), day, rng), clean)
            yield Faulty(
                kind=kind, clean=clean, values=values, first=first, last=first + length - 1
            )


def has_daily_cycle(clean: Clean, day: int) -> bool:
    """Whether the time of day explains half of the variance (per half hour, all days)."""
    if day < 12 or len(clean.values) < 3 * day:
        return False
    slot = (clean.times_s // 1800).astype(int) % 48
    profile = np.array([clean.values[slot == s].mean() if (slot == s).any() else 0 for s in slot])
    return bool(np.var(clean.values - profile) < 0.5 * np.var(clean.values))


def _longest_rest(y: Floats) -> int:
    """The longest run of equal values: a series that rests by itself cannot be caught stuck."""
    moves = np.flatnonzero(np.concatenate(([True], np.diff(y) != 0, [True])))
    return int(np.max(np.diff(moves)))


def _range(y: Floats) -> float:
    low, high = np.nanpercentile(y, (1, 99))
    return float(high - low)


def _bounded(y: Floats, clean: Clean) -> Floats:
    """A series that is never negative stays so; one of whole numbers stays whole."""
    if clean.values.min() >= 0:
        y = np.abs(y)
    return np.round(y) if np.all(clean.values == np.round(clean.values)) else y
