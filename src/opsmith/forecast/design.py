"""The columns of the decomposable model: trend and changepoints, harmonics, events, regressors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.forecast.grid import Grid
from opsmith.nouns.forecast import Event

# Taylor & Letham (2018), section 3.1.4 and the defaults of their software: 25 changepoints.
# They stop at 80 % of the history; 90 % lets an operations series keep last week's slope.
CHANGEPOINTS = 25
CHANGEPOINT_RANGE = 0.9
# Fourier orders: 12 resolve an hour's ramp in a day; 24 resolve a working day in a week.
DAY_ORDER = 12
WEEK_ORDER = 24
# A weekly pattern is believed from ten days on: less shows no weekday twice.
WEEK_FROM_DAYS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """What the columns of a design are.

    length: steps of history, the unit of the trend's time axis.
    names: the groups in order, sizes: columns in each; `trend` comes first (level, slope,
    changepoints).
    day, week: steps in a cycle, 0 for none.
    """

    length: int
    day: int
    week: int
    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many columns there are."""
        return sum(self.sizes)

    def group(self, name: str) -> slice:
        """Where the columns of one group are."""
        at = self.names.index(name)
        return slice(sum(self.sizes[:at]), sum(self.sizes[: at + 1]))


def columns_for(grid: Grid, extra: tuple[str, ...] = ()) -> Columns:
    """The columns that a grid's history can bear, plus one for each name in `extra`."""
    day = _order(grid.day, DAY_ORDER)
    enough = grid.week and grid.y.size * 7 >= WEEK_FROM_DAYS * grid.week
    week = _order(grid.week, WEEK_ORDER) if enough else 0
    in_day = WEEK_ORDER // 7 if day and week else 0
    changepoints = min(CHANGEPOINTS, max(0, grid.y.size // 4))
    sizes = (2 + changepoints, 2 * day, 2 * (week - in_day), *(1 for _ in extra))
    kept = [(n, s) for n, s in zip(("trend", "day", "week", *extra), sizes, strict=True) if s]
    return Columns(
        length=grid.y.size,
        day=grid.day,
        week=grid.week,
        names=tuple(name for name, _ in kept),
        sizes=tuple(size for _, size in kept),
    )


def rows(
    columns: Columns, first: int, count: int, extra: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Rows `first` .. `first + count - 1` of the design, (count, p).

    extra: (count, e) values of events and regressors on these steps.
    """
    out = np.empty((count, columns.count))
    t = np.arange(first, first + count) / columns.length
    trend = columns.group("trend")
    out[:, 0] = 1.0
    out[:, 1] = t
    np.maximum(t[:, None] - knots(trend.stop - 2), 0.0, out=out[:, 2 : trend.stop])
    step = np.arange(first, first + count)
    if "day" in columns.names:
        where = columns.group("day")
        orders = tuple(range(1, (where.stop - where.start) // 2 + 1))
        out[:, where] = _harmonics(columns.day, orders)[step % columns.day]
    if "week" in columns.names:
        where = columns.group("week")
        day_too = "day" in columns.names
        orders = tuple(k for k in range(1, WEEK_ORDER + 8) if not day_too or k % 7)
        table = _harmonics(columns.week, orders[: (where.stop - where.start) // 2])
        out[:, where] = table[step % columns.week]
    if extra is not None and extra.shape[1]:
        out[:, columns.count - extra.shape[1] :] = extra
    return out


def knots(count: int) -> NDArray[np.float64]:
    """(count,) where the trend may bend, as shares of the history."""
    return np.linspace(0.0, CHANGEPOINT_RANGE, count + 1)[1:]


def event_columns(events: tuple[Event, ...], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, e) 1 where an event is on. Raises BadInput when a window ends before it starts."""
    out = np.zeros((times_s.size, len(events)))
    for column, event in enumerate(events):
        for start_s, end_s in event.windows_s:
            if not end_s > start_s:
                raise BadInput(
                    f"Event {event.name!r} has a window that ends before it starts.",
                    hint="Give (start, end) in Unix seconds.",
                )
            out[(times_s >= start_s) & (times_s < end_s), column] = 1.0
    return out


def _order(period: int, order: int) -> int:
    """The highest harmonic below the Nyquist frequency of the cycle, at most `order`."""
    return max(0, min(order, (period - 1) // 2))


@cache
def _harmonics(period: int, orders: tuple[int, ...]) -> NDArray[np.float64]:
    """(period, 2 k) one cycle of cosines and sines, interleaved."""
    angle = 2.0 * np.pi * np.outer(np.arange(period), orders) / period
    out = np.empty((period, 2 * len(orders)))
    out[:, 0::2] = np.cos(angle)
    out[:, 1::2] = np.sin(angle)
    return out
