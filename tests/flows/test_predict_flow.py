"""From series to outlooks, scores and fleets, by the flows."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from opsmith.backends.metrics.recorded import RecordedMetrics
from opsmith.backends.spread.threads import ThreadSpread
from opsmith.errors import BadInput, NotFound
from opsmith.flows.fleet import aligned, forecast_fleet
from opsmith.flows.predict import Question, evaluate, fetch, look_ahead
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit

START_S = 1_700_006_400.0
QUICK = frozenset({"gaussian process"})


def series(n: int = 600, *, kind: MetricKind = MetricKind.GAUGE, slope: float = 0.0) -> Series:
    t = np.arange(n)
    rng = np.random.default_rng(n)
    values = 10 + np.sin(2 * np.pi * t / 288) + 0.1 * rng.normal(size=n) + slope * t
    return Series(
        name="queue",
        labels=(("n", str(n)),),
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=kind,
        times_s=START_S + 300.0 * t,
        values=np.cumsum(values) if kind is MetricKind.COUNTER else values,
    )


async def test_series_are_fetched_up_to_now_and_none_is_said() -> None:
    metrics = RecordedMetrics([series()])
    now = datetime.fromtimestamp(START_S + 300 * 599, tz=UTC)

    found = await fetch(metrics, "queue", now=now, history=timedelta(days=1))

    assert found[0].times_s[-1] == now.timestamp()
    with pytest.raises(NotFound):
        await fetch(metrics, "nothing", now=now, history=timedelta(days=1))


async def test_a_counter_comes_as_it_was_scraped_however_finely_it_is_asked() -> None:
    counter = series(288, kind=MetricKind.COUNTER)
    now = datetime.fromtimestamp(START_S + 300 * 287, tz=UTC)

    (found,) = await fetch(
        RecordedMetrics([counter]), "queue", now=now, history=timedelta(hours=20)
    )

    assert np.diff(found.times_s).tolist() == [300.0] * (found.times_s.size - 1)
    assert np.diff(found.values) == pytest.approx(
        np.diff(counter.values)[-found.times_s.size + 1 :]
    )


async def test_an_outlook_says_the_crossing_first() -> None:
    question = Question(horizon=timedelta(hours=12), threshold=16.5, without=QUICK)

    (outlook,) = await look_ahead([series(slope=0.01)], question)

    assert outlook.breach is not None
    assert "16.5" in outlook.said[0]
    plain = await look_ahead([series()], Question(horizon=timedelta(hours=1), without=QUICK))
    assert plain[0].breach is None


async def test_own_history_is_scored_and_what_is_too_short_is_passed_over() -> None:
    scores = await evaluate([series(), series(2)], horizon=timedelta(hours=6), without=QUICK)

    assert "blend" in {score.model for score in scores}
    with pytest.raises(BadInput):
        await evaluate([series(2)], horizon=timedelta(hours=6))


def test_a_fleet_is_forecast_in_pieces_with_progress() -> None:
    y = np.stack([series().values] * 600).astype(np.float32)
    seen: list[int] = []

    found = forecast_fleet(y, step_s=300.0, steps=24, spread=ThreadSpread(2), progress=seen.append)

    assert seen == [250, 250, 100]
    assert found.quantiles.shape == (600, 3, 24)
    with pytest.raises(BadInput):
        forecast_fleet(y[:0], step_s=300.0, steps=3, spread=ThreadSpread(1))


def test_series_of_different_ages_and_kinds_share_a_grid() -> None:
    y, step_s, end_s = aligned([series(600), series(300), series(600, kind=MetricKind.COUNTER)])

    assert (step_s, end_s) == (300.0, START_S + 300 * 599)
    assert y.shape[0] == 3
    assert np.isnan(y[1, -1])
    assert y[2, -1] == pytest.approx(series(600).values[-1] / 300.0, rel=1e-3)
