"""The decomposable model: trend with changepoints + day + week + events, in closed form.

    y = X b + e,   b = argmin |W (y - X b)|^2 + b' diag(penalty) b

Prophet's model (Taylor & Letham 2018, "Forecasting at scale") with Gaussian priors in place of
Laplace ones, so that the fit is one linear system. Outliers are pulled in by modified residuals
(Huber 1981, section 7.8), which leave X'X alone; the Gram matrices of all back-test origins come
from one by subtracting rows. What is left of the last residual is carried on as an AR(1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.forecast.design import Columns, columns_for, knots, rows
from opsmith.forecast.grid import Grid
from opsmith.numerics.robust import fenced

MAD_TO_SIGMA = 1.4826
# Residuals past 4 robust deviations are pulled in: rare enough to leave Gaussian data alone.
CLIP = 4.0
# (changepoints, seasons) in units of the noise variance: from a trend that bends at will to a
# stiff one; the back-test picks.
PENALTIES: tuple[tuple[float, float], ...] = ((1.0, 1.0), (10.0, 1.0), (100.0, 10.0), (1e3, 10.0))
# Level and slope are all but free; the tiny penalty keeps a short history solvable.
FREE = (1e-6, 1e-3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decomposition:
    """A fitted model.

    coefficients: (p,) on the standardised scale; inverse: (p, p) of the penalised Gram matrix.
    centre, spread: y = centre + spread * z. noise: standard deviation of z's residual.
    carry: AR(1) coefficient of the residual; last: the residual at the last step.
    seen: steps fitted or updated so far; cap: upper bound of the values, None for none.
    """

    columns: Columns
    coefficients: NDArray[np.float64]
    inverse: NDArray[np.float64]
    centre: float
    spread: float
    noise: float
    carry: float
    last: float
    seen: int
    cap: float | None = None


def fit(
    grid: Grid,
    *,
    penalty: tuple[float, float] = PENALTIES[1],
    extra: NDArray[np.float64] | None = None,
    names: tuple[str, ...] = (),
    cap: float | None = None,
    robust: bool = True,
) -> Decomposition:
    """Fit by ridge; gaps are left out.

    extra: (n, e) events and regressors over the history, named by `names`.
    cap: the values' upper bound (lower bound 0): the model then works on log(y / (cap - y)),
    so that no forecast passes either. Raises BadInput when a value is past the cap.
    """
    columns = columns_for(grid, names)
    design = rows(columns, 0, grid.y.size, extra)
    y = unbounded(grid.y, cap)
    known = np.isfinite(y)
    centre = float(np.median(y[known]))
    inside = fenced(y[known])
    spread = float(np.std(inside)) or 1.0
    z = (y[known] - centre) / spread
    seen = design if known.all() else design[known]
    gram = seen.T @ seen
    gram[np.diag_indices_from(gram)] += penalties(columns, penalty)
    inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
    first = (inside - centre) / spread if robust else z
    coefficients = inverse @ (first @ seen)
    if robust:
        coefficients = inverse @ (_pulled_in(z, seen @ coefficients) @ seen)
    residual = z - seen @ coefficients
    return Decomposition(
        columns=columns,
        coefficients=coefficients,
        inverse=inverse,
        centre=centre,
        spread=spread,
        noise=_scale(residual),
        carry=_carry(residual),
        last=float(residual[-1]),
        seen=grid.y.size,
        cap=cap,
    )


def update(
    model: Decomposition, y: float, extra: NDArray[np.float64] | None = None
) -> Decomposition:
    """One more observation by recursive least squares, O(p^2); a gap only moves time on.

    The changepoints stay where they were. Source: Plackett (1950); the same result as a refit
    of the same columns, which is the test.
    """
    row = rows(model.columns, model.seen, 1, None if extra is None else extra[None, :])[0]
    if not np.isfinite(y):
        return replace(model, seen=model.seen + 1, last=model.last * model.carry)
    z = (float(unbounded(np.array([y]), model.cap)[0]) - model.centre) / model.spread
    gain = model.inverse @ row
    gain /= 1.0 + row @ gain
    error = z - float(row @ model.coefficients)
    coefficients = model.coefficients + gain * error
    return replace(
        model,
        coefficients=coefficients,
        inverse=model.inverse - np.outer(gain, row @ model.inverse),
        last=z - float(row @ coefficients),
        seen=model.seen + 1,
    )


def predict(
    model: Decomposition, steps: int, extra: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (steps,) and standard deviation (steps,), in the unit of the series.

    The variance adds: the residual as an AR(1), the coefficients' own, and changepoints to come
    at the rate and size of those seen, as Taylor & Letham (2018), section 3.1.4, but in closed
    form: with rate r a step and slopes of variance 2 l^2 the trend's is 2 r l^2 h^3 / 3.
    With a cap both are of the logistic scale's median and slope there.
    """
    design = rows(model.columns, model.seen, steps, extra)
    lead = np.arange(1, steps + 1, dtype=np.float64)
    mean = design @ model.coefficients + model.last * model.carry**lead
    changepoints = model.coefficients[2 : model.columns.group("trend").stop]
    slope = float(np.mean(np.abs(changepoints))) if changepoints.size else 0.0
    rate = changepoints.size / (knots(1)[0] * model.columns.length)
    bends = 2.0 * rate * (slope / model.columns.length) ** 2 * lead**3 / 3.0
    own = np.einsum("hp,hp->h", design @ model.inverse, design) * model.noise**2
    variance = model.noise**2 * (1.0 - model.carry ** (2.0 * lead)) + own + bends
    mean = model.centre + model.spread * mean
    deviation = model.spread * np.sqrt(variance)
    if model.cap is None:
        return mean, deviation
    bounded = model.cap / (1.0 + np.exp(-mean))
    return bounded, deviation * bounded * (1.0 - bounded / model.cap)


def parts(
    model: Decomposition, steps: int, extra: NDArray[np.float64] | None = None
) -> dict[str, NDArray[np.float64]]:
    """What each group of columns adds, (steps,) each; `trend` holds the level, `carry` the rest.

    They sum to `predict`'s mean on the scale the model works on (the logistic one with a cap).
    """
    design = rows(model.columns, model.seen, steps, extra)
    out = {}
    for name in model.columns.names:
        where = model.columns.group(name)
        out[name] = model.spread * (design[:, where] @ model.coefficients[where])
    out["trend"] = out["trend"] + model.centre
    lead = np.arange(1, steps + 1, dtype=np.float64)
    out["carry"] = model.spread * model.last * model.carry**lead
    return out


def at_origins(
    grid: Grid,
    origins: NDArray[np.int64],
    steps: int,
    extra: NDArray[np.float64] | None = None,
    names: tuple[str, ...] = (),
) -> NDArray[np.float64]:
    """(penalties, k, steps): forecasts from every origin for each of `PENALTIES`.

    extra: (n + steps, e). One design and one Gram matrix serve all: the rows from an origin on
    are subtracted for that origin.
    """
    columns = columns_for(grid, names)
    design = rows(columns, 0, grid.y.size + steps, extra)
    known = np.isfinite(grid.y)
    centre = float(np.median(grid.y[known]))
    inside = fenced(grid.y)
    spread = float(np.std(inside[known])) or 1.0
    z, first = (np.where(known, (y - centre) / spread, 0.0) for y in (grid.y, inside))
    history = design[: grid.y.size]
    seen = history if known.all() else history * known[:, None]
    whole = seen.T @ seen
    out = np.empty((len(PENALTIES), origins.size, steps))
    for at, origin in enumerate(origins):
        later = seen[origin:]
        gram = whole - later.T @ later
        ahead = design[origin : origin + steps]
        values = (first[:origin], z[:origin])
        out[:, at] = _each_penalty(columns, gram, seen[:origin], values, ahead)
    return centre + spread * out


def penalties(columns: Columns, penalty: tuple[float, float]) -> NDArray[np.float64]:
    """(p,) the ridge of every column."""
    out = np.full(columns.count, penalty[1])
    out[2 : columns.group("trend").stop] = penalty[0]
    out[:2] = FREE
    return out


def _each_penalty(
    columns: Columns,
    gram: NDArray[np.float64],
    seen: NDArray[np.float64],
    values: tuple[NDArray[np.float64], NDArray[np.float64]],
    ahead: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(penalties, steps) forecasts from one origin, on the standardised scale.

    values: (n,) within the fence, for the first fit, and as they are.
    """
    diagonal = np.diag_indices_from(gram)
    out = np.empty((len(PENALTIES), ahead.shape[0]))
    lead = np.arange(1, ahead.shape[0] + 1)
    inside, z = values
    target = z
    for i, penalty in enumerate(PENALTIES):
        ridged = gram.copy()
        ridged[diagonal] += penalties(columns, penalty)
        if i == 0:
            first = np.linalg.solve(ridged, inside @ seen)
            target = _pulled_in(z, seen @ first)
        coefficients = np.linalg.solve(ridged, target @ seen)
        residual = target - seen @ coefficients
        out[i] = ahead @ coefficients + residual[-1] * _carry(residual) ** lead
    return out


def _pulled_in(z: NDArray[np.float64], fitted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Z with residuals past `CLIP` robust deviations moved to that distance."""
    limit = CLIP * _scale(z - fitted)
    return np.clip(z, fitted - limit, fitted + limit)


def _scale(residual: NDArray[np.float64]) -> float:
    return MAD_TO_SIGMA * float(np.median(np.abs(residual))) + 1e-9


def _carry(residual: NDArray[np.float64]) -> float:
    """Lag-one autocorrelation, kept where an AR(1) fades."""
    power = float(residual[:-1] @ residual[:-1])
    return min(max(float(residual[1:] @ residual[:-1]) / (power + 1e-12), 0.0), 0.999)


def unbounded(y: NDArray[np.float64], cap: float | None) -> NDArray[np.float64]:
    """Log odds of y (n,) within 0 to the cap; y itself without one. Raises BadInput outside."""
    if cap is None:
        return y
    if np.any(y > cap) or np.any(y < 0):
        raise BadInput(
            f"A value lies outside 0 to the cap {cap}.", hint="Raise the cap or leave it out."
        )
    # Values on a bound are moved a thousandth inside: their logit is infinite.
    inside = np.clip(y / cap, 1e-3, 1.0 - 1e-3)
    odds: NDArray[np.float64] = np.log(inside / (1.0 - inside))
    return odds
