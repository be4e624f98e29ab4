"""What every drawing of a forecast shares: where values and times lie, labels, what is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.forecast import Outlook
from opsmith.nouns.series import Series

# So much past for each horizon ahead: enough to see the pattern that is carried on.
PAST_PER_HORIZON = 3
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sketch:
    """The lines and bands of one outlook, x in Unix seconds, y in the unit of the series.

    past: (times, values), NaN at gaps. median, and low/high of the 80 % and 95 % bands: (h,).
    left, right, bottom, top: the edges of the picture. threshold: None for none.
    """

    title: str
    past: tuple[NDArray[np.float64], NDArray[np.float64]]
    ahead: NDArray[np.float64]
    median: NDArray[np.float64]
    band80: tuple[NDArray[np.float64], NDArray[np.float64]]
    band95: tuple[NDArray[np.float64], NDArray[np.float64]]
    edges: tuple[float, float, float, float]
    threshold: float | None

    def x(self, times_s: NDArray[np.float64], width: float) -> NDArray[np.float64]:
        """0 at the left edge, `width` at the right."""
        left, right, _, _ = self.edges
        return (times_s - left) / (right - left) * width

    def y(self, values: NDArray[np.float64], height: float) -> NDArray[np.float64]:
        """0 at the top edge, `height` at the bottom."""
        _, _, bottom, top = self.edges
        share: NDArray[np.float64] = (top - values) / (top - bottom)
        return np.clip(share, 0.0, 1.0) * height


def sketch(outlook: Outlook) -> Sketch:
    """What of an outlook is drawn: the recent past, the forecast, the threshold."""
    made = outlook.forecast
    horizon_s = made.times_s[-1] - made.times_s[0] + made.step_s
    recent = made.history_s >= made.history_s[-1] - PAST_PER_HORIZON * horizon_s
    past = (made.history_s[recent], made.history[recent])
    low, high = made.level(0.025), made.level(0.975)
    threshold = outlook.breach.threshold if outlook.breach else None
    shown = np.concatenate([past[1][np.isfinite(past[1])], low, high])
    if threshold is not None:
        shown = np.append(shown, threshold)
    bottom, top = _edges(shown)
    return Sketch(
        title=made.key,
        past=past,
        ahead=made.times_s,
        median=made.median,
        band80=(made.level(0.1), made.level(0.9)),
        band95=(low, high),
        edges=(float(past[0][0]), float(made.times_s[-1]), bottom, top),
        threshold=threshold,
    )


def past(series: Series, *, title: str, threshold: float | None = None) -> Sketch | None:
    """What of a series is drawn that is not forecast; None when it has no two values."""
    known = np.isfinite(series.values)
    if known.sum() < 2:  # noqa: PLR2004 - a line has two ends
        return None
    shown = series.values[known]
    bottom, top = _edges(shown if threshold is None else np.append(shown, threshold))
    none = np.empty(0)
    return Sketch(
        title=title,
        past=(series.times_s, series.values),
        ahead=none,
        median=none,
        band80=(none, none),
        band95=(none, none),
        edges=(float(series.times_s[0]), float(series.times_s[-1]), bottom, top),
        threshold=threshold,
    )


def _edges(shown: NDArray[np.float64]) -> tuple[float, float]:
    """Bottom and top of the picture; a flat line is drawn in the middle."""
    bottom, top = float(shown.min()), float(shown.max())
    if top <= bottom:
        return bottom - 0.5 * (abs(bottom) or 1.0), top + 0.5 * (abs(top) or 1.0)
    return bottom, top


def time_label(at_s: float, span_s: float) -> str:
    """A time on the axis, UTC; with the day where the picture spans more than one."""
    form = "%m-%d %H:%M" if span_s > DAY_S else "%H:%M"
    return datetime.fromtimestamp(at_s, tz=UTC).strftime(form)


def value_label(value: float) -> str:
    """A number on the axis, at most nine characters.

    >>> value_label(1234567.0), value_label(0.25), value_label(12.0)
    ('1.235e+06', '0.25', '12')
    """
    return f"{value:.4g}"
