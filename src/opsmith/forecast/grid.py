"""The regular grid: irregular samples in, equal steps with gaps out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.numerics.compiled import kernel

DAY_S = 86_400.0
FEWEST_POINTS = 3
# Past this a double has lost the differences that a forecast is about, and squares overflow.
LARGEST = 1e150
# Steps that divide a day, so that a daily pattern falls on the same slots every day.
SECONDS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800)
HOURS = (1, 2, 3, 4, 6, 8, 12, 24)
STEPS_S: tuple[int, ...] = (*SECONDS, *(3_600 * hours for hours in HOURS))
# A sampling interval this near to a listed step is taken for that step with jitter.
JITTER = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """A series on equal steps.

    start_s: time of y[0]; step_s: seconds a step. y: (n,), NaN is a gap.
    filled: (n,), gaps closed by the value a day earlier, else by the last one.
    day, week: steps in a day and a week; 0 where a step is too long for the pattern to show.
    notes: what was dropped or merged on the way here.
    """

    start_s: float
    step_s: float
    y: NDArray[np.float64]
    filled: NDArray[np.float64]
    day: int
    week: int
    notes: tuple[str, ...] = ()

    @property
    def end_s(self) -> float:
        """Time of the last step."""
        return self.start_s + (self.y.size - 1) * self.step_s

    def times_s(self) -> NDArray[np.float64]:
        """(n,) Unix seconds."""
        return self.start_s + self.step_s * np.arange(self.y.size, dtype=np.float64)

    def future_s(self, steps: int) -> NDArray[np.float64]:
        """(steps,) the times after the last one."""
        return self.end_s + self.step_s * np.arange(1, steps + 1, dtype=np.float64)


def regular(
    y: NDArray[np.float64],
    *,
    step_s: float,
    start_s: float = 0.0,
    notes: tuple[str, ...] = (),
) -> Grid:
    """A grid from values that already stand on equal steps.

    y: (n,), any unit; NaN, infinities and values past 1e150 are gaps.
    Raises BadInput when fewer than 3 values are left or the step is not above 0.
    """
    if not step_s > 0:
        raise BadInput(f"A step of {step_s} s is not a step.", hint="Give seconds above 0.")
    sane = np.isfinite(y) & (np.abs(y) < LARGEST)
    lost = int(np.count_nonzero(~sane & ~np.isnan(y)))
    if lost:
        notes = (*notes, f"{lost} infinite or absurdly large values are treated as gaps")
    known = int(np.count_nonzero(sane))
    if known < FEWEST_POINTS:
        raise BadInput(
            f"{known} usable values are too few to forecast from.",
            hint=f"Give at least {FEWEST_POINTS} finite values.",
        )
    clean = np.where(sane, y, np.nan)
    day = round(DAY_S / step_s)
    return Grid(
        start_s=start_s,
        step_s=step_s,
        y=clean,
        filled=fill_gaps(clean, max(1, day)),
        day=day if day > 1 else 0,
        week=round(7 * DAY_S / step_s) if step_s <= DAY_S else 0,
        notes=notes,
    )


def on_grid(
    times_s: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    least_step_s: float = 0.0,
    most_points: int = 12_000,
) -> Grid:
    """Put samples at any times, in any order, on equal steps; a cell holds their mean.

    times_s: (n,) Unix seconds; values: (n,); NaN is a gap.
    The step is the median interval, snapped to one that divides a day, and lengthened until
    `least_step_s` is reached and at most `most_points` cells remain. Unix time has no
    daylight-saving jumps; local times that repeat an hour arrive as duplicates and are averaged.
    Raises BadInput when fewer than 3 usable samples are left.
    """
    if times_s.shape != values.shape:
        raise BadInput("Times and values differ in length.", hint="Give one time a value.")
    usable = np.isfinite(times_s) & np.isfinite(values) & (np.abs(values) < LARGEST)
    if np.count_nonzero(usable) < FEWEST_POINTS:
        raise BadInput(
            f"{np.count_nonzero(usable)} usable values are too few to forecast from.",
            hint=f"Give at least {FEWEST_POINTS} finite values.",
        )
    at, x = times_s[usable], values[usable]
    moments = np.unique(at)
    notes = _notes(times_s, values, usable, at.size - moments.size)
    if moments.size < FEWEST_POINTS:
        raise BadInput(
            f"{moments.size} distinct times are too few to forecast from.",
            hint=f"Give at least {FEWEST_POINTS}.",
        )
    span_s = float(moments[-1] - moments[0])
    least = max(least_step_s, span_s / most_points)
    interval_s = float(np.median(np.diff(moments)))
    step_s = step_for(interval_s, least)
    # One sample a cell: to the nearest, against jitter. Many: the cell starts at its time.
    nearest = 0.5 if step_s < 1.5 * interval_s else 0.0
    cell = np.floor((at - moments[0]) / step_s + nearest).astype(np.int64)
    count = np.bincount(cell)
    # A power of two loses no bit, and keeps sums of huge values finite.
    scale = float(np.exp2(np.ceil(np.log2(max(float(np.abs(x).max()), 1e-300)))))
    with np.errstate(invalid="ignore"):
        y = np.where(count > 0, np.bincount(cell, weights=x / scale) / count, np.nan) * scale
    return regular(y, step_s=step_s, start_s=float(moments[0]), notes=notes)


def step_for(interval_s: float, least_s: float = 0.0) -> float:
    """The step of the grid for samples `interval_s` apart.

    >>> step_for(15.1), step_for(61.0), step_for(45.0), step_for(15.0, 100.0)
    (15.0, 60.0, 60.0, 120.0)
    """
    wanted = max(interval_s, least_s)
    for step in STEPS_S:
        if step >= least_s and wanted <= step * (1 + JITTER):
            return float(step)
    return float(np.ceil(wanted / DAY_S) * DAY_S)


@kernel
def fill_gaps(y: NDArray[np.float64], day: int) -> NDArray[np.float64]:
    """Close gaps with the value `day` steps earlier, else the last one; the head backwards.

    y: (n,), at least one value. Only the past is used but for a leading gap.
    """
    out = y.copy()
    first = 0
    while np.isnan(out[first]):
        first += 1
    for i in range(first):
        out[i] = out[first]
    for i in range(first + 1, out.size):
        if np.isnan(out[i]):
            out[i] = out[i - day] if i - day >= first else out[i - 1]
    return out


def _notes(
    times_s: NDArray[np.float64],
    values: NDArray[np.float64],
    usable: NDArray[np.bool_],
    duplicates: int,
) -> tuple[str, ...]:
    notes = []
    infinite = int(np.count_nonzero(~usable & ~np.isnan(values) & np.isfinite(times_s)))
    if infinite:
        notes.append(f"{infinite} infinite or absurdly large values were dropped")
    if duplicates:
        notes.append(f"{duplicates} samples share a time with another and were averaged")
    if np.any(np.diff(times_s[np.isfinite(times_s)]) < 0):
        notes.append("the samples were out of order and were sorted")
    return tuple(notes)
