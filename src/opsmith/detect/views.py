"""Nine views of a point: the channels that a detector looks through.

value, level (mean of 12), spread (log deviation of 24), change, season (level against the time
of day or week), rest (how long the value has not moved), trend (mean of 60), residual (one-step
prediction, in Student-t errors) and persistence (how odd it has been for a while).
"""

from __future__ import annotations

import math

import numpy as np

from opsmith.detect.state import (
    DAY_ERROR,
    DAY_SLOTS,
    LAST,
    ORIGIN,
    PERSISTENCE,
    RUN,
    SEEN,
    SHORT,
    SINCE,
    SLOW,
    SLOW_ERROR,
    SPAN,
    WEEK_ERROR,
    WEEK_SLOTS,
    WINDOW,
    Floats,
    Singles,
)
from opsmith.detect.surprise import squash
from opsmith.detect.window import mean_of, recent
from opsmith.numerics.compiled import kernel

VALUE, LEVEL, SPREAD, CHANGE, SEASON, REST, TREND, RESIDUAL, PERSIST = range(9)
NAMES = (
    "value",
    "level",
    "spread",
    "change",
    "season",
    "rest",
    "trend",
    "residual",
    "persistence",
)

LONG = 2 * SHORT  # values behind the spread
# The slow mean and the running errors of the profiles: about 200 points.
SLOW_RATE = 1.0 / 200.0
# A slot learns three tenths of what is new at each visit, of the week a half: a memory of three
# days and of two weeks, whatever the step.
DAY_LEARNS, DAY_SLOT_S = 3.0 / 7.0, 1800.0
WEEK_LEARNS, WEEK_SLOT_S = 1.0, 3600.0
# What lies farther off than three usual errors teaches no more than that.
NOVEL = 3.0
# ... once the errors have had time to settle.
SETTLED = 288.0
# A spread below a hundredth of the series' own range is no spread.
NO_SPREAD = 0.01


@kernel
def season_gap(scalars: Floats, day: Singles, week: Singles, time_s: float, level: float) -> float:
    """The level minus what the better of slow mean, day and week says; then they learn.

    day: (48,), week: (168,) of one series, changed in place; time_s: Unix seconds, UTC.
    """
    at_day = int(time_s // DAY_SLOT_S) % DAY_SLOTS
    at_week = int(time_s // WEEK_SLOT_S) % WEEK_SLOTS
    y = level - scalars[ORIGIN]
    slow = scalars[SLOW]
    by_day = np.float64(day[at_day]) if day[at_day] == day[at_day] else slow
    by_week = np.float64(week[at_week]) if week[at_week] == week[at_week] else by_day
    learn_error(scalars, SLOW_ERROR, abs(y - slow))
    learn_error(scalars, DAY_ERROR, abs(y - by_day))
    learn_error(scalars, WEEK_ERROR, abs(y - by_week))
    gap, least = y - slow, scalars[SLOW_ERROR]
    if scalars[DAY_ERROR] < least:
        gap, least = y - by_day, scalars[DAY_ERROR]
    if scalars[WEEK_ERROR] < least:
        gap, least = y - by_week, scalars[WEEK_ERROR]
    scalars[SLOW] += SLOW_RATE * (y - slow)
    far = NOVEL * least if scalars[SEEN] > SETTLED else np.inf
    learn_slot(day, at_day, y, far, DAY_LEARNS * min(1.0, scalars[SINCE] / DAY_SLOT_S))
    learn_slot(week, at_week, y, far, WEEK_LEARNS * min(1.0, scalars[SINCE] / WEEK_SLOT_S))
    return float(gap)


@kernel
def learn_error(scalars: Floats, which: int, size: float) -> None:
    """Move a running error towards `size`, by no more than three of it once it has settled."""
    usual = scalars[which]
    scalars[which] = usual + SLOW_RATE * (size - usual)


@kernel
def learn_slot(slots: Singles, at: int, y: float, far: float, share: float) -> None:
    """Move one slot of a profile towards y, by no more than `far` would make it."""
    if slots[at] != slots[at]:
        slots[at] = y
        return
    off = max(-far, min(far, y - np.float64(slots[at])))
    slots[at] = np.float64(slots[at]) + share / (1.0 + share) * off


@kernel
def look(scalars: Floats, ring: Floats, quantiles: Floats, out: Floats) -> None:
    """The raw views of the point just pushed; change, season and residual are the caller's.

    out: (VIEWS,), filled in.
    """
    seen = int(scalars[SEEN])
    span = max((quantiles[VALUE, 2] - quantiles[VALUE, 0]) / 2.0, 0.05 * scalars[SPAN])
    out[VALUE] = ring[(seen - 1) % WINDOW]
    out[LEVEL] = recent(ring, seen, SHORT)[0]
    out[SPREAD] = math.log(recent(ring, seen, LONG)[1] / span + NO_SPREAD)
    out[REST] = math.log2(1.0 + scalars[RUN])
    out[TREND] = mean_of(scalars)
    out[PERSIST] = math.log(scalars[PERSISTENCE] + 0.02)


@kernel
def floor_of(view: int, span: float) -> float:
    """The least scale of a view: a twentieth of the values' range, 0.1 for logarithms."""
    if view in (SPREAD, PERSIST):
        return 0.1
    return 0.05 * span


@kernel
def squash_views(scalars: Floats, quantiles: Floats, views: Floats, out: Floats) -> None:
    """Each view on its own signed log scale; rest is one already, residual is in errors.

    quantiles: (VIEWS, 3); views, out: (VIEWS,).
    """
    for view in range(9):
        if view == REST:
            out[view] = views[view]
        elif view == RESIDUAL:
            out[view] = squash(views[view], 0.0, 1.0)
        else:
            half = (quantiles[view, 2] - quantiles[view, 0]) / 2.0
            scale = max(half, floor_of(view, scalars[SPAN]))
            out[view] = squash(views[view], quantiles[view, 1], scale)


@kernel
def _thirds(sample: Floats, quantiles: Floats) -> None:
    """The 5, 50 and 95 % quantiles of a sample, sorted here."""
    ordered = np.sort(sample)
    last = len(ordered) - 1
    quantiles[0] = ordered[int(0.05 * last)]
    quantiles[1] = ordered[len(ordered) // 2]
    quantiles[2] = ordered[int(0.95 * last)]


@kernel
def settle(scalars: Floats, ring: Floats, quantiles: Floats) -> None:
    """Choose the first scale of every view from the first full window, oldest value first."""
    _thirds(ring, quantiles[VALUE])
    low, high = ring.min(), ring.max()
    half = (quantiles[VALUE, 2] - quantiles[VALUE, 0]) / 2.0
    span = max(half, (high - low) / 20.0)
    scalars[SPAN] = max(span, 1e-9 * abs(quantiles[VALUE, 1]), 1e-12)
    _thirds(ring[1:] - ring[:-1], quantiles[CHANGE])
    levels = np.empty(WINDOW - SHORT + 1)
    for i in range(len(levels)):
        levels[i] = recent(ring, i + SHORT, SHORT)[0]
    _thirds(levels, quantiles[LEVEL])
    _thirds(levels, quantiles[TREND])
    _thirds(levels - mean_of(scalars), quantiles[SEASON])
    spreads = np.empty(WINDOW - LONG + 1)
    for i in range(len(spreads)):
        spread = recent(ring, i + LONG, LONG)[1]
        spreads[i] = math.log(spread / scalars[SPAN] + NO_SPREAD)
    _thirds(spreads, quantiles[SPREAD])
    quantiles[PERSIST, 0] = math.log(0.1)
    quantiles[PERSIST, 1] = math.log(0.3)
    quantiles[PERSIST, 2] = 0.0


@kernel
def moved(scalars: Floats, value: float) -> float:
    """The change since the point before, and how long the value has rested."""
    change = value - scalars[LAST] if scalars[SEEN] > 0.0 else 0.0
    resting = change == 0.0 and scalars[SEEN] > 0.0
    scalars[RUN] = scalars[RUN] + 1.0 if resting else 0.0
    return float(change)
