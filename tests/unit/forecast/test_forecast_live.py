"""While observations come, promised intervals hold what they promise."""

import numpy as np
import pytest

from opsmith.forecast.intervals import Correction
from opsmith.forecast.live import Followed, followed
from opsmith.nouns.forecast import LEVELS, Forecast, Nature


def forecast(width: float, steps: int = 2000) -> Forecast:
    spread = np.linspace(-width, width, len(LEVELS))
    return Forecast(
        key="s",
        unit="",
        nature=Nature.GAUGE,
        step_s=60.0,
        history_s=np.zeros(0),
        history=np.zeros(0),
        times_s=600.0 + 60.0 * np.arange(steps),
        quantiles=np.repeat(spread[:, None], steps, axis=1),
        model="blend",
        chosen="last value",
    )


@pytest.mark.parametrize("width", [0.2, 1.0, 20.0])
def test_intervals_that_were_too_narrow_or_too_wide_come_to_hold_95_in_100(width: float) -> None:
    values = np.random.default_rng(4).normal(size=2000)
    now, inside = followed(forecast(width)), []
    for at, value in enumerate(values):
        low, high = now.band(600.0 + 60.0 * at) or (np.nan, np.nan)
        inside.append(low <= value <= high)
        now = now.observed(600.0 + 60.0 * at, float(value))

    assert 0.92 <= float(np.mean(inside[1000:])) <= 0.98


def test_outside_the_horizon_there_is_no_band_and_nothing_is_learned() -> None:
    now = followed(forecast(1.0, steps=3), Correction(width80=2.0, width95=3.0))

    assert now.band(500.0) is None
    assert now.band(600.0 + 3 * 60.0) is None
    assert now.observed(500.0, 1e9) is now


def test_a_time_between_steps_belongs_to_the_nearer_and_a_gap_teaches_nothing() -> None:
    now: Followed = followed(forecast(1.0, steps=3))

    assert now.band(625.0) == now.band(600.0)
    assert now.observed(600.0, float("nan")).correction == now.correction
