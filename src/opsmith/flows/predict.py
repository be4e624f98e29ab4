"""predict: series from a store or a file, forecasts and crossing times out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from opsmith.errors import BadInput, NotFound
from opsmith.forecast.breach import time_to_breach
from opsmith.forecast.predict import forecast
from opsmith.forecast.scoring import mean_scores, score_series
from opsmith.forecast.words import breach_sentence
from opsmith.nouns.forecast import Forecast, Known, Outlook, Score, Side
from opsmith.nouns.series import Series
from opsmith.seams.metrics import Metrics

# A range query may ask for so many steps (Prometheus refuses more).
MOST_STEPS = 10_000
SHORTEST_STEP_S = 15.0


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
    return found


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
