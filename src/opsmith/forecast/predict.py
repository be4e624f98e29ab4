"""One series, one forecast: grid, back-test, blend, intervals, words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.forecast import backtest, decomposable, intervals, words
from opsmith.forecast.candidates import DECOMPOSABLE, PLAINEST, PREFERRED, ask_all
from opsmith.forecast.grid import Grid, on_grid
from opsmith.forecast.known import Extra, extra_columns, limited, saturation
from opsmith.forecast.nature import Bounds, bounds_of, rates
from opsmith.nouns.forecast import Forecast, Known, Part, Trial
from opsmith.nouns.series import MetricKind, Series

# Finer than this a forecast is longer than anyone reads and costs without telling more.
MOST_STEPS = 2_016
BLEND = "blend"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """The back-test's verdict on one grid.

    names: (c,) candidates; forecasts: (c, h) of each for now; residuals: (c, k, h) of the folds.
    errors: (c, k) mean absolute fold errors; shares: (c,) of the blend; picked: index.
    median: (h,) of the blend; quantiles: (11, h) around it. independent: folds that do not
    overlap.
    """

    names: tuple[str, ...]
    forecasts: NDArray[np.float64]
    residuals: NDArray[np.float64]
    errors: NDArray[np.float64]
    shares: NDArray[np.float64]
    picked: int
    median: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    independent: int

    def around(self, candidate: int) -> NDArray[np.float64]:
        """Quantiles (11, h) of one candidate, from its own fold errors."""
        return intervals.around(
            self.forecasts[candidate], self.residuals[candidate], self.independent
        )


def forecast(
    series: Series,
    *,
    horizon_s: float,
    known: Known | None = None,
    model: str = BLEND,
    without: frozenset[str] = frozenset(),
) -> Forecast:
    """Forecast a series over the next `horizon_s` seconds.

    known: floor, cap, events and regressors. model: `blend`, `choice`, or a candidate by name.
    without: candidates to leave out (`gaussian process` is the dear one).
    A counter is forecast as a rate. Raises BadInput when fewer than 3 values are usable, the
    horizon is not above 0, or the model is not among the candidates that could answer.
    """
    if not 0 < horizon_s < np.inf:
        raise BadInput(f"A horizon of {horizon_s} s is no horizon.", hint="Give more than 0 s.")
    grid, bounds = prepared(series, horizon_s)
    steps = max(1, int(np.ceil(horizon_s / grid.step_s - 1e-9)))
    known = known or Known()
    bounds = limited(bounds, known, grid)
    extra, limits = extra_columns(known, grid, steps), saturation(bounds, known)
    judged = judge(grid, steps, bounds, without=without, extra=extra, limits=limits)
    quantiles = _asked_for(judged, model)
    notes = (*grid.notes, *(extra.notes if extra else ()))
    if steps > grid.y.size:
        notes = (*notes, "the horizon is longer than the history: trust it little")
    parts = _parts(grid, steps, judged, extra)
    answer = Forecast(
        key=series.key,
        unit=str(series.unit),
        nature=bounds.nature,
        step_s=grid.step_s,
        history_s=grid.times_s(),
        history=grid.y,
        times_s=grid.future_s(steps),
        quantiles=bounds.keep(quantiles),
        model=model,
        chosen=judged.names[judged.picked],
        trials=_trials(judged),
        parts=parts,
        notes=notes,
    )
    return replace(answer, why=words.why(answer))


def prepared(series: Series, horizon_s: float) -> tuple[Grid, Bounds]:
    """A series' grid and what its values can be; a counter's are its rates."""
    times_s, values = series.times_s, series.values
    notes: tuple[str, ...] = ()
    if series.kind is MetricKind.COUNTER:
        times_s, values, resets = rates(series)
        notes = (f"{resets} counter resets were bridged",) if resets else ()
    bounds = bounds_of(values, series.unit, series.kind)
    grid = on_grid(times_s, values, least_step_s=horizon_s / MOST_STEPS)
    if bounds.whole and not np.all(grid.filled == np.rint(grid.filled)):
        bounds = replace(bounds, whole=False)  # means over a cell are not whole
    return replace(grid, notes=(*grid.notes, *notes)), bounds


def judge(
    grid: Grid,
    steps: int,
    bounds: Bounds,
    *,
    without: frozenset[str] = frozenset(),
    extra: Extra | None = None,
    limits: tuple[float, float] | None = None,
) -> Judged:
    """Back-test every candidate on a grid and blend them for the next `steps` steps.

    limits: between which the decomposable model's trend flattens.
    """
    origins = backtest.origins_for(grid, steps)
    columns = None if extra is None else extra.values
    folds = ask_all(grid, origins, steps, without=without, extra=columns, limits=limits)
    if bounds.low is not None or bounds.high is not None:
        folds = replace(folds, forecasts=np.clip(folds.forecasts, bounds.low, bounds.high))
    seen = np.isfinite(folds.actual).any(axis=1)
    folds = replace(
        folds,
        actual=folds.actual[seen],
        forecasts=folds.forecasts[:, np.append(seen, True)],
    )
    if not seen.any():
        return _unjudged(grid, folds)
    errors = folds.errors()
    relative = backtest.complete(errors, _scale(grid))
    shares = backtest.weights(relative)
    preferred = folds.names.index(PREFERRED) if PREFERRED in folds.names else None
    median = backtest.blend(folds.forecasts[:, -1], shares)
    residuals = backtest.blend_residuals(folds, relative)
    apart = backtest.independent(origins, steps)
    return Judged(
        names=folds.names,
        forecasts=folds.forecasts[:, -1],
        residuals=folds.actual - folds.forecasts[:, :-1],
        errors=(relative - backtest.FLOOR) * _scale(grid),
        shares=shares,
        picked=backtest.choose(relative, preferred),
        median=median,
        quantiles=intervals.around(median, residuals, apart),
        independent=apart,
    )


def _unjudged(grid: Grid, folds: backtest.Folds) -> Judged:
    """No fold could be looked at: the last value, and the spread of a random walk."""
    count, steps = len(folds.names), folds.forecasts.shape[2]
    shares = np.array([float(name == PLAINEST) for name in folds.names])
    median = folds.forecasts[folds.names.index(PLAINEST), -1]
    jumps = np.diff(grid.filled)
    walk = jumps[:, None] * np.sqrt(np.arange(1, steps + 1))
    return Judged(
        names=folds.names,
        forecasts=folds.forecasts[:, -1],
        residuals=np.repeat(walk[None], count, axis=0),
        errors=np.full((count, 1), np.nan),
        shares=shares,
        picked=int(shares.argmax()),
        median=median,
        quantiles=intervals.around(median, walk, walk.shape[0]),
        independent=walk.shape[0],
    )


def _scale(grid: Grid) -> float:
    """In-sample error of the daily naive forecast (of the last value without a day); above 0."""
    lag = grid.day if 0 < grid.day < grid.y.size else 1
    size = float(np.mean(np.abs(grid.filled[lag:] - grid.filled[:-lag])))
    return max(size, 1e-9 * float(np.abs(grid.filled).max()), 1e-300)


def _asked_for(judged: Judged, model: str) -> NDArray[np.float64]:
    if model == BLEND:
        return judged.quantiles
    if model == "choice":
        return judged.around(judged.picked)
    if model not in judged.names:
        raise BadInput(
            f"{model!r} is no candidate that can answer here.",
            hint=f"Ask for one of: {', '.join((BLEND, 'choice', *judged.names))}.",
        )
    return judged.around(judged.names.index(model))


def _trials(judged: Judged) -> tuple[Trial, ...]:
    error = judged.errors.mean(axis=1)
    plain = error[judged.names.index(PLAINEST)] if PLAINEST in judged.names else error.max()
    rows = [
        Trial(
            name=name,
            error=float(error[at]),
            relative=float(error[at] / plain) if plain > 0 else 1.0,
            weight=float(judged.shares[at]),
            folds=int(np.isfinite(judged.residuals[at]).any(axis=1).sum()),
        )
        for at, name in enumerate(judged.names)
    ]
    return tuple(sorted(rows, key=lambda row: row.error))


def _parts(grid: Grid, steps: int, judged: Judged, extra: Extra | None) -> tuple[Part, ...]:
    """Trend, day, week and events as the decomposable model reads them, and the rest."""
    if DECOMPOSABLE not in judged.names:
        return (Part(name="level", values=judged.median),)
    if extra is None:
        found = decomposable.parts(decomposable.fit(grid), steps)
    else:
        past, ahead = extra.values[: grid.y.size], extra.values[grid.y.size :]
        model = decomposable.fit(grid, extra=past, names=extra.names)
        found = decomposable.parts(model, steps, ahead)
    found.pop("carry")
    rest = judged.median - np.sum(list(found.values()), axis=0)
    return tuple(
        Part(name=name, values=values) for name, values in (*found.items(), ("rest", rest))
    )
