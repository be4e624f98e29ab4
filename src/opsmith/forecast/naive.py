"""The plain candidates: last value, seasonal naive and daily profile.

Each takes a grid, the origins to forecast from (each sees only what precedes it) and the
number of steps, and gives (k, h), rows of NaN where the history is too short.
Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), section 5.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast.grid import Grid

# A week of days: long enough for a median to shrug off a bad one, short enough to keep up.
PROFILE_DAYS = 7


def last_value(grid: Grid, origins: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """The last known value, for ever."""
    return np.repeat(grid.filled[origins - 1][:, None], steps, axis=1)


def day_before(grid: Grid, origins: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """The value at the same time on the last whole day."""
    return _cycle(grid.filled, grid.day, origins, steps)


def week_before(grid: Grid, origins: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """The value at the same time in the last whole week."""
    return _cycle(grid.filled, grid.week, origins, steps)


def daily_profile(grid: Grid, origins: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """The median at the same time over the last seven days, or as many as there are, from two."""
    out = np.full((origins.size, steps), np.nan)
    if not grid.day:
        return out
    slot = np.arange(steps) % grid.day
    for row, origin in enumerate(origins):
        days = min(PROFILE_DAYS, int(origin) // grid.day)
        if days >= 2:  # noqa: PLR2004 - the profile of one day is the day before
            back = grid.day * np.arange(1, days + 1)
            out[row] = np.median(grid.filled[origin - back[:, None] + slot], axis=0)
    return out


def _cycle(
    filled: NDArray[np.float64], period: int, origins: NDArray[np.int64], steps: int
) -> NDArray[np.float64]:
    out = np.full((origins.size, steps), np.nan)
    if period:
        long_enough = origins >= period
        at = origins[long_enough][:, None] - period + np.arange(steps) % period
        out[long_enough] = filled[at]
    return out
