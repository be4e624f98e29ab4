"""predict: series from a store or a file, forecasts and crossing times out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from opsmith.errors import BadInput, NotFound
from opsmith.forecast.breach import time_to_breach
from opsmith.forecast.predict import forecast
from opsmith.forecast.scoring import mean_scores, score_series
from opsmith.forecast.words import breach_sentence
from opsmith.nouns.forecast import Forecast, Known, Outlook, Score, Side
from opsmith.nouns.series import MetricKind, Series
from opsmith.seams.metrics import Metrics

# A range query may ask for so many steps (Prometheus refuses more).
MOST_STEPS = 10_000
SHORTEST_STEP_S = 15.0
# So many steps of a staircase are enough to tell it, when so large a share is evenly wide.
FEWEST_STEPS, EVEN = 10, 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of each series.

    horizon: how far ahead; threshold: None for none; side: None for away from now;
    model: blend, choice or a candidate; without: candidates to leave out; known: floor, cap,
    events and regressors, the same for every series.
    """

    horizon: timedelta
    threshold: float | None = None
    side: Side | None = None
    model: str = "blend"
    without: frozenset[str] = frozenset()
    known: Known = field(default_factory=Known)


async def fetch(
    metrics: Metrics, promql: str, *, now: datetime, history: timedelta
) -> tuple[Series, ...]:
    """The last `history` of every series that matches. Raises NotFound when none does."""
    step_s = max(SHORTEST_STEP_S, history.total_seconds() / MOST_STEPS)
    step = timedelta(seconds=-(-step_s // SHORTEST_STEP_S) * SHORTEST_STEP_S)
    found = await metrics.query_range(promql, start=now - history, end=now, step=step)
    if not found:
        raise NotFound(f"No series matches {promql}.", hint="Try it in the server's own page.")
    return tuple(_as_scraped(one) for one in found)


async def look_ahead(series: Sequence[Series], question: Question) -> tuple[Outlook, ...]:
    """One outlook a series, in their order. The numbers run on a thread of their own."""
    return await asyncio.to_thread(lambda: tuple(_outlook(one, question) for one in series))


async def evaluate(
    series: Sequence[Series], *, horizon: timedelta, without: frozenset[str] = frozenset()
) -> tuple[Score, ...]:
    """How every model would have done on these histories, best first.

    Raises BadInput when none of them is long enough to hold back a horizon.
    """
    scores = await asyncio.to_thread(_scores, series, horizon.total_seconds(), without)
    if not scores:
        raise BadInput(
            "No series is long enough to try forecasts on.",
            hint="Give at least five times the horizon, or a shorter --horizon.",
        )
    return scores


def _as_scraped(series: Series) -> Series:
    """A counter at its scrapes: between two of them a server repeats the last value.

    Asked for every 15 s of a counter that is scraped every minute, it gives a staircase, whose
    rate would be three noughts and one value four times too high. Values that move at even
    distances are such steps, and only where they move is kept; all else stays as it is.
    """
    moved = np.flatnonzero(np.diff(series.values)) + 1
    if series.kind is not MetricKind.COUNTER or moved.size < FEWEST_STEPS:
        return series
    apart = np.diff(moved)
    usual = float(np.median(apart))
    even = float(np.mean(np.abs(apart - usual) <= 1))
    if usual < 2 or even < EVEN:  # noqa: PLR2004 - every step moves it: no staircase
        return series
    return replace(series, times_s=series.times_s[moved], values=series.values[moved])


def _scores(
    series: Sequence[Series], horizon_s: float, without: frozenset[str]
) -> tuple[Score, ...]:
    found = []
    for one in series:
        try:
            found.append(score_series(one, horizon_s=horizon_s, without=without))
        except BadInput:  # too short or empty: the others still count
            continue
    return mean_scores(found)


def _outlook(series: Series, question: Question) -> Outlook:
    found: Forecast = forecast(
        series,
        horizon_s=question.horizon.total_seconds(),
        known=question.known,
        model=question.model,
        without=question.without,
    )
    breach = None
    if question.threshold is not None:
        breach = time_to_breach(found, question.threshold, side=question.side)
    said = (breach_sentence(breach), *found.why) if breach else found.why
    return Outlook(forecast=found, breach=breach, said=said)
