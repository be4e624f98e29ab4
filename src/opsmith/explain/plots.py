"""Plots: the series behind a fact as a small line, with what was usual before and the onset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from opsmith.explain.story import Bars, Plot
from opsmith.explain.words import clean, clock, figure, when
from opsmith.nouns.diagnosis import Evidence
from opsmith.nouns.recording import Window
from opsmith.nouns.series import MetricKind, Series, Unit

WIDTH = 320.0
HEIGHT = 64.0
_MARGIN = 5.0
# A line of 320 px shows no more than one low and one high every other pixel.
_MOST_BUCKETS = 120
_TERMINAL_COLUMNS = 48
_BLOCKS = "▁▂▃▄▅▆▇█"
# What is usual: the middle nine tenths of the reference, which one outlier does not stretch.
_USUAL = (0.05, 0.95)
_FEWEST_USUAL = 4
_FEWEST_SHOWN = 8
# A hole four usual steps long is drawn as a hole; scrapes that come late are not.
_HOLE_STEPS = 4.0
_RATE_UNITS = {Unit.BYTES: "bytes_per_second", Unit.SECONDS: "s/s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every plot of one report shares: the incident's time and the times to compare with."""

    window: Window | None
    reference: tuple[Window, ...]
    onset: datetime | None


def plot(series: Series, frame: Frame) -> Plot | None:
    """Draw one series; None when it has no finite value. A counter is drawn as its rate."""
    times, values, unit = _drawn(series)
    usual = _usual(times, values, frame)
    times, values = _near(times, values, frame.window)
    if not np.isfinite(values).any():
        return None
    low, high = _range(values, usual)
    start, end = float(times[0]), float(times[-1])
    onset_s = frame.onset.timestamp() if frame.onset else None
    inside = onset_s is not None and start <= onset_s <= end and end > start
    title = clean(series.key, longest=140)
    return Plot(
        title=title,
        strokes=_strokes(times, values, (low, high)),
        band=_band(usual, (low, high)),
        onset_x=_x(onset_s, start, end) if inside and onset_s is not None else None,
        low=figure(low, unit),
        high=figure(high, unit),
        start=clock(_utc(start)),
        end=clock(_utc(end)),
        words=_words(title, times, values, usual=usual, unit=unit),
        ticks=_ticks(times, values, onset_s if inside else None),
    )


def bars(evidence: Evidence) -> Bars | None:
    """The two figures of a fact as bars; None where it compares nothing."""
    before, after = evidence.before, evidence.after
    if before is None or after is None or not np.isfinite([before, after]).all():
        return None
    longest = max(abs(before), abs(after)) or 1.0
    return Bars(
        before=figure(before, evidence.unit),
        after=figure(after, evidence.unit),
        before_share=round(abs(before) / longest, 4),
        after_share=round(abs(after) / longest, 4),
    )


def _drawn(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """The values to draw and their unit; a counter's rate restarts from 0 at a reset."""
    if series.kind is not MetricKind.COUNTER or series.times_s.size < 2:  # noqa: PLR2004 - a rate needs two
        return series.times_s, series.values, series.unit
    rise = np.diff(series.values)
    rise = np.where(rise < 0, series.values[1:], rise)
    rate = rise / np.diff(series.times_s)
    return series.times_s[1:], rate, _RATE_UNITS.get(series.unit, "per_second")


def _near(
    times: NDArray[np.float64], values: NDArray[np.float64], window: Window | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What lies around the incident: twice its length before it and half its length after."""
    if window is None:
        return times, values
    start, end = window.start.timestamp(), window.end.timestamp()
    length = max(end - start, 60.0)
    kept = (times >= start - 2 * length) & (times <= end + length / 2)
    few = np.isfinite(values[kept]).sum() < _FEWEST_SHOWN
    return (times, values) if few else (times[kept], values[kept])


def _usual(
    times: NDArray[np.float64], values: NDArray[np.float64], frame: Frame
) -> tuple[float, float] | None:
    kept = np.zeros(times.shape, dtype=bool)
    for window in frame.reference:
        kept |= (times >= window.start.timestamp()) & (times < window.end.timestamp())
    if not frame.reference and frame.onset is not None:
        kept = times < frame.onset.timestamp()
    known = values[kept & np.isfinite(values)]
    if known.size < _FEWEST_USUAL:
        return None
    low, high = np.quantile(known, _USUAL)
    return float(low), float(high)


def _range(values: NDArray[np.float64], usual: tuple[float, float] | None) -> tuple[float, float]:
    shown = [*values[np.isfinite(values)].tolist(), *(usual or ())]
    low, high = min(shown), max(shown)
    if high > low:
        return low, high
    pad = abs(high) / 10 or 1.0
    return low - pad, high + pad


def _x(at_s: float, start: float, end: float) -> float:
    share = (at_s - start) / (end - start) if end > start else 0.5
    return round(_MARGIN + share * (WIDTH - 2 * _MARGIN), 1)


def _y(value: float, shown: tuple[float, float]) -> float:
    share = (value - shown[0]) / (shown[1] - shown[0])
    return round(HEIGHT - _MARGIN - share * (HEIGHT - 2 * _MARGIN), 1)


def _band(
    usual: tuple[float, float] | None, shown: tuple[float, float]
) -> tuple[float, float] | None:
    if usual is None:
        return None
    top, bottom = _y(usual[1], shown), _y(usual[0], shown)
    return top, round(max(bottom - top, 1.5), 1)


def _strokes(
    times: NDArray[np.float64], values: NDArray[np.float64], shown: tuple[float, float]
) -> tuple[str, ...]:
    """SVG path data; a lone value between gaps becomes a dot."""
    start, end = float(times[0]), float(times[-1])
    times, values = _thinned(times, values)
    strokes: list[list[str]] = [[]]
    hole = _HOLE_STEPS * float(np.median(np.diff(times))) if times.size > 1 else np.inf
    last = -np.inf
    for at, value in zip(times.tolist(), values.tolist(), strict=True):
        if not np.isfinite(value) or at - last > hole:
            strokes.append([])
        if np.isfinite(value):
            strokes[-1].append(f"{_x(at, start, end)} {_y(value, shown)}")
            last = at
    return tuple(
        f"M{'L'.join(points)}{'h.1' * (len(points) == 1)}" for points in strokes if points
    )


def _thinned(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most two values a bucket, its lowest and its highest, so that no peak is lost."""
    if times.size <= 2 * _MOST_BUCKETS:
        return times, values
    kept: list[int] = []
    for rows in np.array_split(np.arange(times.size), _MOST_BUCKETS):
        known = rows[np.isfinite(values[rows])]
        ends = {int(rows[0])} if known.size == 0 else _lowest_and_highest(known, values)
        kept.extend(sorted(ends))
    return times[kept], values[kept]


def _lowest_and_highest(rows: NDArray[np.intp], values: NDArray[np.float64]) -> set[int]:
    return {int(rows[np.argmin(values[rows])]), int(rows[np.argmax(values[rows])])}


def _words(
    title: str,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    usual: tuple[float, float] | None,
    unit: str,
) -> str:
    """The plot for those who cannot see it."""
    known = np.flatnonzero(np.isfinite(values))
    top = int(known[np.argmax(values[known])])
    was = f"usually {figure(usual[0], unit)} to {figure(usual[1], unit)}, " if usual else ""
    return (
        f"{title}: {was}highest {figure(float(values[top]), unit)} at {when(_utc(times[top]))},"
        f" last {figure(float(values[known[-1]]), unit)}"
    )


def _ticks(times: NDArray[np.float64], values: NDArray[np.float64], onset_s: float | None) -> str:
    """The line in block characters; a space is a gap, a bar the onset."""
    count = min(_TERMINAL_COLUMNS, times.size)
    columns = np.array_split(np.arange(times.size), count)
    known = [rows[np.isfinite(values[rows])] for rows in columns]
    means = [float(values[rows].mean()) if rows.size else np.nan for rows in known]
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    # Halves first: neither the largest nor the smallest numbers that exist overflow then.
    span = high / 2 - low / 2
    shares = [(mean / 2 - low / 2) / span if span > 0.0 else 0.0 * mean for mean in means]
    last = len(_BLOCKS) - 1
    drawn = [" " if np.isnan(share) else _BLOCKS[round(share * last)] for share in shares]
    if onset_s is not None:
        first = next(i for i, rows in enumerate(columns) if times[rows[-1]] >= onset_s)
        drawn.insert(first, "|")
    return "".join(drawn)


def _utc(at_s: float) -> datetime:
    return datetime.fromtimestamp(float(at_s), tz=UTC)
