"""What a person knows beside the past: limits, events and regressors on a forecast's grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.forecast.design import event_columns
from opsmith.forecast.grid import Grid
from opsmith.forecast.nature import Bounds
from opsmith.nouns.forecast import Known
from opsmith.nouns.series import Series


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extra:
    """Columns of events and regressors over history and horizon.

    values: (n + steps, e); names: (e,); notes: what could not be learned from them.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def limited(bounds: Bounds, known: Known, grid: Grid) -> Bounds:
    """Bounds narrowed to a floor and a cap.

    Raises BadInput when the floor is not below the cap, or the history passes one of them.
    """
    low = bounds.low if known.floor is None else known.floor
    high = bounds.high if known.cap is None else known.cap
    if low is not None and high is not None and not low < high:
        raise BadInput(f"The floor {low:g} is not below the cap {high:g}.")
    least, most = float(np.nanmin(grid.y)), float(np.nanmax(grid.y))
    if known.cap is not None and most > known.cap:
        raise BadInput(
            f"The history reaches {most:g}, which is past the cap {known.cap:g}.",
            hint="Raise the cap or leave it out.",
        )
    if known.floor is not None and least < known.floor:
        raise BadInput(
            f"The history falls to {least:g}, which is below the floor {known.floor:g}.",
            hint="Lower the floor or leave it out.",
        )
    return replace(bounds, low=low, high=high)


def saturation(bounds: Bounds, known: Known) -> tuple[float, float] | None:
    """The two limits between which the trend flattens, given a cap; the floor is 0 without one."""
    if known.cap is None:
        return None
    return (0.0 if bounds.low is None and known.cap > 0 else bounds.low or 0.0), known.cap


def extra_columns(known: Known, grid: Grid, steps: int) -> Extra | None:
    """Events and regressors as columns of the design; None without any.

    Raises BadInput for a window that ends before it starts, for two of one name, and for a
    regressor that does not reach to the end of the horizon.
    """
    if not known.events and not known.regressors:
        return None
    times = np.concatenate([grid.times_s(), grid.future_s(steps)])
    names = (*(e.name for e in known.events), *(one.key for one in known.regressors))
    if len(set(names)) < len(names) or {"trend", "day", "week", "rest"} & set(names):
        raise BadInput("Two events or regressors have one name, or that of a part (trend, day).")
    columns = [event_columns(known.events, times)]
    columns += [_regressor(one, times, grid) for one in known.regressors]
    values = np.concatenate(columns, axis=1)
    seen = values[: grid.y.size]
    notes = tuple(
        f"{name!r} never varied in the history, so its effect is unknown"
        for name, column in zip(names, seen.T, strict=True)
        if np.ptp(column) == 0.0
    )
    return Extra(values=values, names=names, notes=notes)


def _regressor(series: Series, times: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """(n + steps, 1) the mean of each cell, else the last value before, standardised."""
    usable = np.isfinite(series.times_s) & np.isfinite(series.values)
    order = np.argsort(series.times_s[usable], kind="stable")
    at, x = series.times_s[usable][order], series.values[usable][order]
    apart = float(np.median(np.diff(at))) if at.size > 1 else grid.step_s
    if not at.size or at[-1] + max(apart, grid.step_s) <= times[-1]:
        raise BadInput(
            f"The regressor {series.key} is not known to the end of the horizon.",
            hint="Give its values for the history and for the whole horizon, or a shorter one.",
        )
    edges = np.searchsorted(at, np.append(times, times[-1] + grid.step_s), side="left")
    sums = np.concatenate([[0.0], np.cumsum(x)])
    count = np.diff(edges)
    before = x[np.clip(edges[:-1] - 1, 0, x.size - 1)]
    mean = np.diff(sums[edges]) / np.maximum(count, 1)
    column = np.where(count > 0, mean, before)
    past = column[: grid.y.size]
    spread = float(past.std())
    scaled: NDArray[np.float64] = (column - past.mean()) / (spread if spread > 0.0 else 1.0)
    return scaled[:, None]
