"""fleet: a matrix of series in, a forecast of every row out, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.forecast.fleet import fit_many, joined
from opsmith.forecast.grid import on_grid, step_for
from opsmith.forecast.nature import rates
from opsmith.nouns.forecast import FleetForecast
from opsmith.nouns.series import MetricKind, Series
from opsmith.seams.spread import Spread

# Rows a piece: 4 MB of two weeks at ten minutes, and few enough that a progress bar moves.
ROWS = 250
MOST_POINTS = 2_016


def forecast_fleet(
    y: NDArray[np.float32],
    *,
    step_s: float,
    steps: int,
    spread: Spread,
    progress: Callable[[int], None] = lambda _: None,
) -> FleetForecast:
    """Forecast every row of y (s, n); `progress` is told how many rows each piece had.

    The answer does not depend on where the pieces are computed.
    Raises BadInput when y is not a matrix with rows.
    """
    if y.ndim != 2 or not y.shape[0]:  # noqa: PLR2004 - a matrix
        raise BadInput("A fleet needs at least one series.", hint="Give a matrix (series, time).")
    work = partial(fit_many, step_s=step_s, steps=steps)
    found = []
    for piece in spread.each(work, _pieces(y)):
        found.append(piece)
        progress(piece.chosen.size)
    return joined(found)


def aligned(series: Sequence[Series]) -> tuple[NDArray[np.float32], float, float]:
    """Series on one grid that ends where the latest does: (s, n), step in s, end in Unix s.

    Counters become rates. The step is the commonest of the series'; at most 2,016 steps.
    Raises BadInput when a series is too short to have a step.
    """
    samples = [_samples(one) for one in series]
    grids = [on_grid(times, values, most_points=MOST_POINTS) for times, values in samples]
    steps, counts = np.unique([grid.step_s for grid in grids], return_counts=True)
    step_s = step_for(float(steps[counts.argmax()]))
    end_s = max(grid.end_s for grid in grids)
    start_s = max(min(grid.start_s for grid in grids), end_s - (MOST_POINTS - 1) * step_s)
    out = np.full((len(grids), int((end_s - start_s) / step_s) + 1), np.nan, dtype=np.float32)
    for row, (times, values) in enumerate(samples):
        cell = np.rint((times - start_s) / step_s).astype(np.int64)
        inside = (cell >= 0) & (cell < out.shape[1]) & np.isfinite(values)
        count = np.bincount(cell[inside], minlength=out.shape[1])
        total = np.bincount(cell[inside], weights=values[inside], minlength=out.shape[1])
        known = count > 0
        out[row, known] = total[known] / count[known]
    return out, step_s, end_s


def _samples(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if series.kind is MetricKind.COUNTER:
        times_s, values, _ = rates(series)
        return times_s, values
    return series.times_s, series.values


def _pieces(y: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for first in range(0, y.shape[0], ROWS):
        yield np.ascontiguousarray(y[first : first + ROWS], dtype=np.float32)
