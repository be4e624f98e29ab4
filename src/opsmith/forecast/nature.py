"""What the numbers of a series are: counters become rates, bounds are kept, counts stay whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.forecast import Nature
from opsmith.nouns.series import MetricKind, Series, Unit

PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What values of the series can be. low, high: None for none; whole: only integers."""

    nature: Nature
    low: float | None = None
    high: float | None = None
    whole: bool = False

    def keep(self, quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles moved to values that the series can have."""
        out = np.clip(quantiles, self.low, self.high)
        return np.rint(out) if self.whole else out


def bounds_of(values: NDArray[np.float64], unit: Unit, kind: MetricKind) -> Bounds:
    """Read the nature off the finite values (n,), their unit and kind.

    A ratio lies in 0 to 1, or 0 to 100 when it has been above 1. A series that was never
    negative does not become so. Whole numbers of things stay whole; bytes and seconds are
    measured, not counted.
    """
    known = values[np.isfinite(values)]
    low = 0.0 if known.size and known.min() >= 0 else None
    if known.size and np.ptp(known) == 0:
        return Bounds(nature=Nature.CONSTANT, low=low)
    if kind is MetricKind.COUNTER:
        return Bounds(nature=Nature.COUNTER, low=0.0)
    if unit is Unit.RATIO and low == 0.0 and known.max() <= PERCENT:
        return Bounds(nature=Nature.RATIO, low=0.0, high=1.0 if known.max() <= 1 else PERCENT)
    counts = unit in (Unit.COUNT, Unit.UNKNOWN)
    if counts and known.size and np.all(known == np.rint(known)):
        return Bounds(nature=Nature.COUNT, low=low, whole=True)
    return Bounds(nature=Nature.GAUGE, low=low)


def rates(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """A counter's increase per second: times (n - 1,), rates (n - 1,) and how many resets.

    A value below its forerunner is a reset: the counter began again at 0, so the increase is the
    new value. Source: Prometheus documentation, functions `rate` and `resets`.
    """
    order = np.argsort(series.times_s, kind="stable")
    known = order[np.isfinite(series.values[order])]
    at, value = series.times_s[known], series.values[known]
    rise, took = np.diff(value), np.diff(at)
    reset = rise < 0
    rise = np.where(reset, value[1:], rise)
    apart = took > 0
    return at[1:][apart], rise[apart] / took[apart], int(np.count_nonzero(reset))
