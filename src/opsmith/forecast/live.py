"""A forecast while its observations come: bands as they were promised, widths kept honest.

The compact state that must outlive a forecast is its `Correction`, two numbers a series; the
next forecast of the series takes it along.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast.intervals import Correction, adapt, corrected
from opsmith.nouns.forecast import Forecast


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Followed:
    """A forecast being followed.

    first_s: Unix seconds of its first step; step_s: seconds; quantiles: (11, h) as the back-test
    gave them, before correction; correction: what was learned from all observations so far.
    """

    first_s: float
    step_s: float
    quantiles: NDArray[np.float64]
    correction: Correction = field(default_factory=Correction)

    def band(self, time_s: float) -> tuple[float, float] | None:
        """The corrected 95 % interval at a time; None outside the horizon."""
        at = self._step(time_s)
        if at is None:
            return None
        said = corrected(self.correction, self.quantiles[:, at : at + 1])[:, 0]
        return float(said[0]), float(said[-1])

    def observed(self, time_s: float, value: float) -> Followed:
        """The same with one observation fed back; outside the horizon, or no number: unchanged."""
        at = self._step(time_s)
        if at is None:
            return self
        said = corrected(self.correction, self.quantiles[:, at : at + 1])
        learned = adapt(self.correction, said, np.array([value]))
        return replace(self, correction=learned)

    def _step(self, time_s: float) -> int | None:
        """The step nearest to a time; None outside the horizon, or for no time at all."""
        nearest = np.floor((time_s - self.first_s) / self.step_s + 0.5)
        return int(nearest) if 0 <= nearest < self.quantiles.shape[1] else None


def followed(made: Forecast, correction: Correction | None = None) -> Followed:
    """Begin to follow a forecast; correction: what was learned with the one before it."""
    return Followed(
        first_s=float(made.times_s[0]),
        step_s=made.step_s,
        quantiles=made.quantiles,
        correction=correction or Correction(),
    )
