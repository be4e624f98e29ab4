"""Forecast: what a series will do, how sure that is, which model says so and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.series import Series

# The levels every forecast answers: median, the 80 % and 95 % intervals, deciles between.
LEVELS: tuple[float, ...] = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
MEDIAN = LEVELS.index(0.5)


class Nature(StrEnum):
    """What the numbers of a series are, which decides how they may go on."""

    GAUGE = "gauge"
    COUNTER = "counter"
    RATIO = "ratio"
    COUNT = "count"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Event:
    """A known event: a holiday, a sale, a batch run. One effect for all its occurrences.

    windows_s: (start, end) pairs in Unix seconds, end not included; past ones teach the effect.
    """

    name: str
    windows_s: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What a person knows of a series beside its past.

    floor, cap: values stay between them, None for none; in the unit of the forecast (a counter's
    is a rate). events: holidays and the like, past and to come. regressors: series that it
    follows, each known over the whole horizon (planned load, a weather forecast).
    """

    floor: float | None = None
    cap: float | None = None
    events: tuple[Event, ...] = ()
    regressors: tuple[Series, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How one candidate did in the rolling-origin back-test.

    error: mean absolute error over the folds, in the unit of the series.
    relative: `error` over that of the plainest candidate (the last value); below 1 is better.
    weight: share in the blend, 0 to 1. folds: on how many origins it was tried.
    """

    name: str
    error: float
    relative: float
    weight: float
    folds: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One named part of the explanation; values: (h,) in the unit of the series."""

    name: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """Quantiles of a series over a horizon of h steps.

    key: the series, as `Series.key`. unit: of the values; a counter is forecast as a rate,
    in its unit a second, and `nature` says so.
    history_s, history: (n,) the regular grid it was made from, Unix seconds; NaN is a gap.
    times_s: (h,) Unix seconds, one step apart.
    quantiles: (11, h), a row for each of `LEVELS`, rows never cross.
    chosen: the single candidate the back-test picks; model: what `quantiles` come from.
    trials: every candidate, best first. parts: sum to the explanation's centre.
    why: sentences for a person. notes: what was wrong with the input and what was done.
    """

    key: str
    unit: str
    nature: Nature
    step_s: float
    history_s: NDArray[np.float64]
    history: NDArray[np.float64]
    times_s: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    model: str
    chosen: str
    trials: tuple[Trial, ...] = ()
    parts: tuple[Part, ...] = ()
    why: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def median(self) -> NDArray[np.float64]:
        """(h,) the middle forecast."""
        middle: NDArray[np.float64] = self.quantiles[MEDIAN]
        return middle

    def level(self, level: float) -> NDArray[np.float64]:
        """(h,) the quantile at one of `LEVELS`."""
        row: NDArray[np.float64] = self.quantiles[LEVELS.index(level)]
        return row


class Side(StrEnum):
    """From which side a threshold is crossed."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """When a series crosses a threshold; every time in seconds after the last observation.

    earliest_s, median_s, latest_s: the 10 %, 50 % and 90 % points of the crossing time;
    None: not within the horizon at that probability.
    probability: that it is crossed within the horizon at all, 0 to 1.
    linear_s: where the straight line through the history crosses (`predict_linear`), None for
    never; already: the last observation is past the threshold, and all times are 0.
    """

    threshold: float
    side: Side
    horizon_s: float
    probability: float
    earliest_s: float | None
    median_s: float | None
    latest_s: float | None
    linear_s: float | None
    already: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """A forecast and, where a threshold was given, when it is crossed.

    said: sentences for a person, the crossing first.
    """

    forecast: Forecast
    breach: Breach | None
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How a model did on history it had not seen, mean over series and origins.

    mase: mean absolute error of the median over the in-sample daily naive error; below 1 beats
    it. pinball: twice the mean pinball loss in the same units. covered80, covered95: shares
    inside the intervals. tries: series times origins.
    """

    model: str
    mase: float
    pinball: float
    covered80: float
    covered95: float
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetForecast:
    """Forecasts of s series on one grid.

    levels: of the quantiles, median among them; quantiles: (s, levels, h) float32, rows of NaN
    for series with fewer than 3 values. names: (c,) candidates; chosen: (s,) index of the best
    in the back-test; shares: (s, c) of the blend; errors: (s, c) mean absolute fold errors.
    """

    levels: tuple[float, ...]
    names: tuple[str, ...]
    quantiles: NDArray[np.float32]
    chosen: NDArray[np.int8]
    shares: NDArray[np.float32]
    errors: NDArray[np.float32]
