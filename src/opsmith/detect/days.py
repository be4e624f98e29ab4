"""Three slow channels, each held against the greatest that earlier days reached.

shift (how far the level has stood from its pattern, mean of 3 hours), astray (how far off it
was either way, mean of 6 hours) and unrest (how much it moves from point to point, mean of 6
hours). A fault of hours seldom makes one point that was never seen, but it makes a day like no
day before.
"""

from __future__ import annotations

import math

import numpy as np

from opsmith.detect.state import (
    ASTRAY,
    DAY_START,
    DAYS_KNOWN,
    SHIFT,
    SINCE,
    SPAN,
    UNREST,
    Floats,
    Singles,
)
from opsmith.numerics.compiled import kernel

NAMES = ("shift", "astray", "unrest")
CHANNELS = 3
# Columns of a channel: the greatest of today, then mean and variance of the logarithm of the
# greatest of earlier days, then e to that mean.
GREATEST, MEAN, VARIANCE, USUAL = range(4)

DAY_S = 86400.0
SHIFT_S, LONG_S = 10800.0, 21600.0
# Four weeks: as far back as a person means by "it never did that".
MEMORY_DAYS = 28.0
# Before there are days to tell, one day's greatest is taken to be twice or half another's; this
# counts for three days.
PRIOR_VARIANCE = math.log(2.0) ** 2
PRIOR_DAYS = 3.0
# A day beyond two deviations teaches no more than one at two: an incident is not a habit.
CLIP = 2.0
# Below a hundredth of the series' own range nothing is told apart.
LEAST_SHARE = 0.01


@kernel
def follow_days(
    scalars: Floats, days: Singles, time_s: float, gap: float, change: float, out: Floats
) -> float:
    """Take one point into the channels; how far the strangest lies above earlier days.

    days: (CHANNELS, 4) of one series, changed in place; gap: level minus pattern; change: since
    the point before; out: (CHANNELS,), filled in.
    Returns deviations of a normal with the same tail, 0 without a finished day.
    """
    if time_s - scalars[DAY_START] >= DAY_S:
        if scalars[DAYS_KNOWN] >= 0.0:
            close_day(scalars, days)
        scalars[DAYS_KNOWN] = min(MEMORY_DAYS, scalars[DAYS_KNOWN] + 1.0)
        scalars[DAY_START] = time_s
        days[:, GREATEST] = 0.0
    since = scalars[SINCE]
    scalars[SHIFT] += since / (since + SHIFT_S) * (gap - scalars[SHIFT])
    long = since / (since + LONG_S)
    scalars[ASTRAY] += long * (abs(gap) - scalars[ASTRAY])
    scalars[UNREST] += long * (abs(change) - scalars[UNREST])
    most = 0.0
    for channel in range(3):
        size = abs(scalars[SHIFT + channel])
        days[channel, GREATEST] = max(days[channel, GREATEST], np.float32(size))
        out[channel] = above(scalars, days[channel], size)
        most = max(most, float(out[channel]))
    return most


@kernel
def above(scalars: Floats, channel: Singles, size: float) -> float:
    """How far `size` lies above the greatest of earlier days, as normal deviations, 0 if below.

    Logarithms of daily greatest values are taken for normal; with few days the tail is
    Student's, whose normal equivalent is sqrt(v ln(1 + t²/v)).
    Sources: Gumbel, "Statistics of Extremes" (1958), 1.2, for block maxima; Geisser (1993), 2.1;
    Wallace, "Bounds on normal approximations to Student's" (1959), (2).
    """
    known = scalars[DAYS_KNOWN]
    if known < 1.0 or size <= np.float64(channel[USUAL]):
        return 0.0
    deviation = math.sqrt(spread_of(channel, known) * (1.0 + 1.0 / known))
    t = (log_size(scalars, size) - np.float64(channel[MEAN])) / deviation
    freedom = known - 1.0 + PRIOR_DAYS
    return math.sqrt(freedom * math.log1p(t * t / freedom)) if t > 0.0 else 0.0


@kernel
def spread_of(channel: Singles, known: float) -> float:
    """The variance of daily logarithms, the prior counted in."""
    own = np.float64(channel[VARIANCE]) * known
    return (own + PRIOR_VARIANCE * PRIOR_DAYS) / (known - 1.0 + PRIOR_DAYS)


@kernel
def log_size(scalars: Floats, size: float) -> float:
    """The logarithm of a channel's size, blunt below a hundredth of the series' range."""
    return math.log(size + LEAST_SHARE * scalars[SPAN] + 1e-300)


@kernel
def close_day(scalars: Floats, days: Singles) -> None:
    """Learn the greatest values of the day that ends; days: (CHANNELS, 4) of one series."""
    known = scalars[DAYS_KNOWN]
    weight = 1.0 / min(known + 1.0, MEMORY_DAYS)
    for channel in days:
        mean, variance = np.float64(channel[MEAN]), np.float64(channel[VARIANCE])
        off = float(log_size(scalars, np.float64(channel[GREATEST])) - mean)
        if known > 0.0:
            reach = CLIP * math.sqrt(spread_of(channel, known))
            off = max(-reach, min(reach, off))
            channel[VARIANCE] = variance + weight * (off * off * (1.0 - weight) - variance)
        channel[MEAN] = mean + weight * off
        channel[USUAL] = math.exp(np.float64(channel[MEAN])) - LEAST_SHARE * scalars[SPAN]
