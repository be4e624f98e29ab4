"""Time to breach: when a forecast crosses a threshold, and how sure that is."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.nouns.forecast import LEVELS, Breach, Forecast, Side

NORMAL = NormalDist()


def time_to_breach(forecast: Forecast, threshold: float, *, side: Side | None = None) -> Breach:
    """P10, P50 and P90 of the first crossing of `threshold`, from the forecast's quantiles.

    side: from which side it is crossed; by default away from the last observation.
    The probability of being past the threshold by a lead is the largest over the leads so far
    of being past it at that lead: exact when the errors of neighbouring leads move together, as
    they do for levels that drift (disks, leaks), and a lower bound otherwise. Between leads and
    between levels it is linear, on the normal scale beyond them.
    Raises BadInput when the threshold is not finite.
    """
    if not np.isfinite(threshold):
        raise BadInput(f"{threshold} is no threshold.", hint="Give a finite number.")
    last = _last(forecast)
    side = side or (Side.ABOVE if threshold > last else Side.BELOW)
    sign = 1.0 if side is Side.ABOVE else -1.0
    horizon_s = float(forecast.step_s * forecast.times_s.size)
    linear_s = straight_line(forecast.history_s, forecast.history, threshold)
    if sign * (last - threshold) >= 0:
        return Breach(
            threshold=threshold,
            side=side,
            horizon_s=horizon_s,
            probability=1.0,
            earliest_s=0.0,
            median_s=0.0,
            latest_s=0.0,
            linear_s=0.0,
            already=True,
        )
    past = _rising(chance_past(forecast.quantiles, threshold, side))
    lead_s = forecast.step_s * np.arange(1, past.size + 1, dtype=np.float64)
    return Breach(
        threshold=threshold,
        side=side,
        horizon_s=horizon_s,
        probability=float(past[-1]),
        earliest_s=_crossing(past, lead_s, 0.1),
        median_s=_crossing(past, lead_s, 0.5),
        latest_s=_crossing(past, lead_s, 0.9),
        linear_s=linear_s,
    )


def chance_past(
    quantiles: NDArray[np.float64], threshold: float, side: Side
) -> NDArray[np.float64]:
    """(h,) probability of lying past the threshold at each lead, from quantiles (11, h)."""
    below = np.array([_level_of(column, threshold) for column in quantiles.T])
    return 1.0 - below if side is Side.ABOVE else below


def straight_line(
    times_s: NDArray[np.float64], values: NDArray[np.float64], threshold: float
) -> float | None:
    """Seconds after the last time until the least-squares line reaches the threshold.

    None when it never does. Source: Prometheus documentation, `predict_linear`.
    """
    known = np.isfinite(values)
    at, y = times_s[known] - times_s[-1], values[known]
    spread = at - at.mean()
    slope = float(spread @ (y - y.mean())) / float(spread @ spread)
    level = float(y.mean()) - slope * float(at.mean())
    if slope == 0:
        return None
    lead = (threshold - level) / slope
    return lead if 0 <= lead < np.inf else None


def _level_of(column: NDArray[np.float64], threshold: float) -> float:
    """P(value <= threshold) from the quantiles (11,) at one lead."""
    if threshold < column[0] or threshold >= column[-1]:
        return _in_the_tail(column, threshold)
    above = int(np.searchsorted(column, threshold, side="right"))
    low, high = float(column[above - 1]), float(column[above])
    share = (threshold - low) / (high - low)
    return LEVELS[above - 1] + share * (LEVELS[above] - LEVELS[above - 1])


def _in_the_tail(column: NDArray[np.float64], threshold: float) -> float:
    """Past the outermost quantile: a normal tail through the last two."""
    outer, inner = (0, 1) if threshold < column[0] else (-1, -2)
    width = abs(float(column[outer] - column[inner]))
    if width <= 0:
        return 0.0 if outer == 0 else 1.0
    z_outer, z_inner = NORMAL.inv_cdf(LEVELS[outer]), NORMAL.inv_cdf(LEVELS[inner])
    scale = width / abs(z_outer - z_inner)
    beyond = abs(threshold - float(column[outer])) / scale
    tail = NORMAL.cdf(-abs(z_outer) - beyond)
    return tail if outer == 0 else 1.0 - tail


def _rising(chance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum.accumulate(chance)


def _crossing(
    past: NDArray[np.float64], lead_s: NDArray[np.float64], level: float
) -> float | None:
    """When a rising probability reaches a level, linear between leads; None when it does not."""
    if past[-1] < level:
        return None
    at = int(np.searchsorted(past, level))
    if at == 0:
        return float(lead_s[0])
    share = (level - past[at - 1]) / (past[at] - past[at - 1])
    return float(lead_s[at - 1] + share * (lead_s[at] - lead_s[at - 1]))


def _last(forecast: Forecast) -> float:
    known = forecast.history[np.isfinite(forecast.history)]
    return float(known[-1])
