"""Many series at once: one design, one Gram matrix, matrix products for whole batches.

The candidates are the plain ones and the decomposable model; the dear ones (the regression and
the Gaussian process) are for single series, by `predict`. All series share their grid, so the
coefficients of a batch Z (s, n) are Z X (X'X + penalty)^-1: two products for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.forecast import backtest, naive
from opsmith.forecast.candidates import DECOMPOSABLE, NAIVE
from opsmith.forecast.decomposable import CLIP, MAD_TO_SIGMA, PENALTIES, penalties
from opsmith.forecast.design import columns_for, rows
from opsmith.forecast.grid import FEWEST_POINTS, Grid, fill_gaps, regular
from opsmith.forecast.intervals import small_sample
from opsmith.nouns.forecast import LEVELS, MEDIAN, FleetForecast

# Errors are pooled over this many stretches of the horizon, instead of around every lead.
BLOCKS = 16
# The rows of a fleet forecast: median and the 80 % interval; more would be mostly memory.
KEPT = (0.1, 0.5, 0.9)


def fit_many(y: NDArray[np.float32], *, step_s: float, steps: int) -> FleetForecast:
    """Forecast every row of y (s, n) for `steps` steps.

    NaN and infinities are gaps; they are closed by the value a day before, and the closed value
    is learned from. A row with fewer than 3 finite values is all NaN in the answer.
    Raises BadInput when y is not a matrix or has fewer than 3 columns.
    """
    if y.ndim != 2 or y.shape[1] < FEWEST_POINTS:  # noqa: PLR2004 - a matrix
        raise BadInput("A fleet is a matrix.", hint="Give (series, time) with 3 columns or more.")
    shape = regular(np.arange(y.shape[1], dtype=np.float64), step_s=step_s)
    filled, usable = _filled(y, shape)
    origins = backtest.origins_for(shape, steps)
    said = _naive(filled, shape, origins, steps)
    said[DECOMPOSABLE] = _decomposed(filled, shape, origins, steps)
    names = tuple(name for name, values in said.items() if np.isfinite(values[:, -1]).all())
    forecasts = np.stack([said[name] for name in names], axis=1)
    del said
    shares, errors, residuals = _weighed(filled, forecasts, origins)
    median = _mixed(forecasts[:, :, -1], shares)
    spread = _spread(residuals, backtest.independent(origins, steps))
    quantiles = median[:, None, :] + spread
    quantiles[~usable] = np.nan
    return FleetForecast(
        levels=KEPT,
        names=names,
        quantiles=quantiles.astype(np.float32),
        chosen=errors.argmin(axis=1).astype(np.int8),
        shares=shares.astype(np.float32),
        errors=errors.astype(np.float32),
    )


def joined(pieces: list[FleetForecast]) -> FleetForecast:
    """The forecasts of several batches of one fleet as one, in their order."""
    return FleetForecast(
        levels=pieces[0].levels,
        names=pieces[0].names,
        quantiles=np.concatenate([piece.quantiles for piece in pieces]),
        chosen=np.concatenate([piece.chosen for piece in pieces]),
        shares=np.concatenate([piece.shares for piece in pieces]),
        errors=np.concatenate([piece.errors for piece in pieces]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scale:
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]


def _filled(y: NDArray[np.float32], shape: Grid) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(s, n) without gaps, and which rows could be filled; the others are 0."""
    out = np.where(np.isfinite(y), y, np.nan).astype(np.float32)
    gaps = np.isnan(out)
    usable = (~gaps).sum(axis=1) >= FEWEST_POINTS
    out[~usable] = 0.0
    for row in np.flatnonzero(gaps.any(axis=1) & usable):
        out[row] = fill_gaps(out[row].astype(np.float64), max(1, shape.day))
    return out, usable


def _naive(
    filled: NDArray[np.float32], shape: Grid, origins: NDArray[np.int64], steps: int
) -> dict[str, NDArray[np.float32]]:
    """(s, k + 1, h) of each plain candidate, by asking it where it would look.

    The plain candidates read values by position alone, so asking them once for positions (a
    grid whose values are its own indices) tells what to take from every row.
    """
    out = {}
    where = np.arange(steps)
    for name, ask in NAIVE.items():
        if name == "daily profile":
            continue
        positions = ask(shape, origins, steps)
        known = np.isfinite(positions)
        taken = filled[:, np.where(known, positions, 0).astype(np.int64)]
        out[name] = np.where(known, taken, np.float32(np.nan))
    profile = np.full((filled.shape[0], origins.size, steps), np.nan, dtype=np.float32)
    for at, origin in enumerate(origins):
        days = min(naive.PROFILE_DAYS, int(origin) // shape.day) if shape.day else 0
        if days >= 2:  # noqa: PLR2004 - as the single-series profile
            back = shape.day * np.arange(1, days + 1)
            taken = filled[:, origin - back[:, None] + where % shape.day]
            profile[:, at] = np.median(taken, axis=1)
    out["daily profile"] = profile
    return out


def _decomposed(
    filled: NDArray[np.float32], shape: Grid, origins: NDArray[np.int64], steps: int
) -> NDArray[np.float32]:
    """(s, k + 1, h): the penalty is picked for each series by its fold errors."""
    columns = columns_for(shape)
    design = rows(columns, 0, shape.y.size + steps)
    narrow = design.astype(np.float32)
    whole = design[: shape.y.size].T @ design[: shape.y.size]
    scale = _Scale(
        centre=np.median(filled, axis=1, keepdims=True),
        spread=np.maximum(filled.std(axis=1, keepdims=True), np.float32(1e-30)),
    )
    z = (filled - scale.centre) / scale.spread
    every = np.empty((len(PENALTIES), filled.shape[0], origins.size, steps), dtype=np.float32)
    for at, origin in enumerate(origins):
        later = design[origin : shape.y.size]
        gram = whole - later.T @ later
        operators = []
        for penalty in PENALTIES:
            ridged = gram + np.diag(penalties(columns, penalty))
            operators.append(np.linalg.inv(ridged).astype(np.float32))
        every[:, :, at] = _from_origin(z[:, :origin], narrow, operators, steps)
    every *= scale.spread[:, :, None]
    every += scale.centre[:, :, None]
    wrong = np.zeros((len(PENALTIES), filled.shape[0]), dtype=np.float32)
    for at, origin in enumerate(origins[:-1]):
        came = filled[:, origin : origin + steps]
        wrong += np.abs(every[:, :, at, : came.shape[1]] - came).sum(axis=2)
    best = wrong.argmin(axis=0)
    picked: NDArray[np.float32] = every[best, np.arange(filled.shape[0])]
    return picked


def _from_origin(
    z: NDArray[np.float32],
    design: NDArray[np.float32],
    inverses: list[NDArray[np.float32]],
    steps: int,
) -> NDArray[np.float32]:
    """(penalties, s, h) from z (s, origin), with outliers pulled in and the AR(1) carried on."""
    origin = z.shape[1]
    seen, ahead = design[:origin], design[origin : origin + steps]
    fitted = (z @ (seen @ inverses[0])) @ seen.T
    residual = z - fitted
    limit = CLIP * MAD_TO_SIGMA * np.median(np.abs(residual), axis=1, keepdims=True) + 1e-9
    pulled = fitted + np.clip(residual, -limit, limit)
    moments = pulled @ seen
    lead = np.arange(1, steps + 1, dtype=np.float32)
    out = np.empty((len(inverses), z.shape[0], steps), dtype=np.float32)
    for at, inverse in enumerate(inverses):
        coefficients = moments @ inverse
        rest = pulled - coefficients @ seen.T
        power = np.einsum("sn,sn->s", rest[:, :-1], rest[:, :-1]) + 1e-12
        carry = np.clip(np.einsum("sn,sn->s", rest[:, 1:], rest[:, :-1]) / power, 0.0, 0.999)
        out[at] = coefficients @ ahead.T + rest[:, -1:] * carry[:, None] ** lead
    return out


def _weighed(
    filled: NDArray[np.float32], forecasts: NDArray[np.float32], origins: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Shares (s, c), mean errors (s, c) and the blend's residuals (s, k, h) on the folds."""
    series, candidates, _, steps = forecasts.shape
    folds = origins.size - 1
    residual = np.full((series, candidates, folds, steps), np.nan, dtype=np.float32)
    for at, origin in enumerate(origins[:-1]):
        came = filled[:, origin : origin + steps]
        width = came.shape[1]
        residual[:, :, at, :width] = came[:, None] - forecasts[:, :, at, :width]
    size = np.maximum(np.abs(filled[:, 1:] - filled[:, :-1]).mean(axis=1), np.float32(1e-30))
    count = np.isfinite(residual).sum(axis=3)
    errors = np.where(np.isfinite(residual), np.abs(residual), 0.0).sum(axis=3)
    errors = np.where(count > 0, errors / np.maximum(count, 1), np.nan).astype(np.float32)
    relative = _completed(errors / size[:, None, None] + np.float32(backtest.FLOOR))
    shares = _shares(relative)
    own = np.empty((series, folds, steps), dtype=np.float32)
    for fold in range(folds):
        others = np.arange(folds) != fold if folds > 1 else np.ones(1, dtype=bool)
        own[:, fold] = _mixed(residual[:, :, fold], _shares(relative[:, :, others]))
    return shares, relative.mean(axis=2) * size[:, None], own


def _completed(errors: NDArray[np.float32]) -> NDArray[np.float32]:
    """As `backtest.complete` for (s, c, k); which are mute is the same for all series."""
    mute = np.isnan(errors[0])
    reference = np.nanmedian(errors, axis=1)
    out = errors.copy()
    for candidate in np.flatnonzero(mute.any(axis=1)):
        known = ~mute[candidate]
        ratio = np.full(errors.shape[0], 2.0, dtype=np.float32)
        if known.any():
            ratio = np.exp(np.log(errors[:, candidate, known] / reference[:, known]).mean(axis=1))
        out[:, candidate, ~known] = ratio[:, None] * reference[:, ~known]
    return out


def _shares(errors: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = errors.mean(axis=2)
    raw = (mean / mean.min(axis=1, keepdims=True)) ** -backtest.POWER
    shares: NDArray[np.float32] = raw / raw.sum(axis=1, keepdims=True)
    return shares


def _mixed(values: NDArray[np.float32], shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """(s, h) from values (s, c, h) and shares (s, c); mute candidates leave theirs to the rest."""
    known = np.isfinite(values)
    share = np.where(known, shares[:, :, None], 0.0)
    total = share.sum(axis=1)
    mixed = (share * np.where(known, values, 0.0)).sum(axis=1)
    out: NDArray[np.float32] = np.where(total > 0, mixed / np.where(total > 0, total, 1), np.nan)
    return out


def _spread(residuals: NDArray[np.float32], folds: int) -> NDArray[np.float32]:
    """(s, levels, h) error quantiles in stretches of the horizon, less their median."""
    series, _, steps = residuals.shape
    wanted = np.array([LEVELS.index(level) for level in KEPT])
    factor = small_sample(folds)[wanted]
    out = np.zeros((series, wanted.size, steps), dtype=np.float32)
    for stretch in np.array_split(np.arange(steps), min(BLOCKS, steps)):
        pooled = np.sort(residuals[:, :, stretch].reshape(series, -1), axis=1)
        known = int(np.isfinite(pooled[0]).sum())
        if known == 0:
            out[:, :, stretch] = out[:, :, stretch[0] - 1 : stretch[0]]
            continue
        at = np.array(LEVELS)[[*wanted, MEDIAN]] * (known - 1)
        low, high = np.floor(at).astype(np.int64), np.ceil(at).astype(np.int64)
        found = pooled[:, low] + (pooled[:, high] - pooled[:, low]) * (at - low)
        out[:, :, stretch] = ((found[:, :-1] - found[:, -1:]) * factor)[:, :, None]
    return out
