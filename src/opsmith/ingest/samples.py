"""Samples: series as a file gives them, and the cleaning that makes them trustworthy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.ingest.losses import Losses

# Unix seconds reach 1e11 in the year 5138; milliseconds passed it in 1973.
FIRST_MILLISECONDS = 1e11


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawSeries:
    """One series of a file.

    labels: sorted by name, without the metric's name.
    declared: its OpenMetrics type (`counter`, `gauge`, `histogram`, ...), empty if unstated.
    times_s: (n,) Unix seconds; values: (n,) in the unit of the file, NaN is a gap.
    """

    name: str
    labels: tuple[tuple[str, str], ...]
    declared: str
    times_s: NDArray[np.float64]
    values: NDArray[np.float64]


def cleaned(found: Iterable[RawSeries], file: str, losses: Losses) -> tuple[RawSeries, ...]:
    """The series with strictly rising times and no infinities; what had to be mended is noted.

    Of samples with the same time the one that stands last in the file counts; an infinity
    becomes a gap; a sample without a finite time is dropped.
    """
    unordered = doubled = infinite = timeless = 0
    result = []
    for series in found:
        times, values = series.times_s, series.values
        known = np.isfinite(times)
        if not known.all():
            timeless += int((~known).sum())
            times, values = times[known], values[known]
        steps = np.diff(times)
        if (steps <= 0).any():
            unordered += int((steps < 0).sum())
            times, values, dropped = _rising(times, values)
            doubled += dropped
        endless = np.isinf(values)
        if endless.any():
            infinite += int(endless.sum())
            values = np.where(endless, np.nan, values)
        result.append(replace(series, times_s=times, values=values))
    losses.count("metrics", file, unordered, "a sample older than the one before it; sorted.")
    losses.count("metrics", file, doubled, "a second sample at the same time; the last counts.")
    losses.count("metrics", file, infinite, "an infinite value; read as a gap.")
    losses.count("metrics", file, timeless, "a sample without a time; dropped.")
    return tuple(series for series in _in_seconds(result, file, losses) if series.times_s.size)


def _rising(
    times_s: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    order = np.argsort(times_s, kind="stable")
    times_s, values = times_s[order], values[order]
    last = np.append(np.diff(times_s) > 0, True)
    return times_s[last], values[last], int((~last).sum())


def _in_seconds(found: list[RawSeries], file: str, losses: Losses) -> list[RawSeries]:
    late = [series for series in found if series.times_s.size]
    if not late or min(float(series.times_s[-1]) for series in late) < FIRST_MILLISECONDS:
        return found
    losses.note("clock", f"{file}: the times are too large for seconds; read as milliseconds.")
    return [replace(series, times_s=series.times_s / 1000.0) for series in found]
