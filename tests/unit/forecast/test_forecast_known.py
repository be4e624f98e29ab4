"""Limits, events and regressors change a forecast as a person who knows them expects."""

import numpy as np
import pytest
from made_for_forecasts import START_S, series

from opsmith.errors import BadInput
from opsmith.forecast.predict import forecast
from opsmith.nouns.forecast import Event, Forecast, Known
from opsmith.nouns.series import Series

QUICK = frozenset({"gaussian process"})
HOUR_S = 3600.0


def ahead(y: np.ndarray, known: Known, *, hours: int = 24, model: str = "blend") -> Forecast:
    return forecast(series(y), horizon_s=hours * HOUR_S, known=known, model=model, without=QUICK)


def noise(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def follower(n: int, ahead_of: int) -> tuple[np.ndarray, Series]:
    """A series that follows another, which is known `ahead_of` steps longer."""
    leader = 20 + 5 * (np.sin(np.arange(n + ahead_of) * 0.07) > 0.5)
    return 3 * leader[:n] + 0.3 * noise(n), series(leader.astype(float))


def test_no_quantile_passes_floor_or_cap_and_growth_flattens() -> None:
    y = 100 / (1 + np.exp(-np.linspace(-3, 2, 400))) + 0.3 * noise(400)

    made = ahead(y, Known(floor=0.0, cap=100.0), hours=240, model="decomposable")

    assert made.quantiles.min() >= 0.0
    assert made.quantiles.max() <= 100.0
    rises = np.diff(made.median[:: made.median.size // 4])
    assert 0 <= rises[-1] < rises[0]


def test_limits_may_lie_below_zero() -> None:
    made = ahead(-50 + noise(300), Known(floor=-60.0, cap=-45.0))

    assert -60 <= made.quantiles.min() <= made.quantiles.max() <= -45


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (Known(cap=5.0), "past the cap"),
        (Known(floor=11.0), "below the floor"),
        (Known(floor=30.0, cap=20.0), "not below the cap"),
    ],
)
def test_limits_that_the_history_passes_are_refused(known: Known, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        ahead(10 + noise(100).clip(-2, 2), known)


def test_a_regressor_carries_what_is_planned_into_the_forecast() -> None:
    y, leader = follower(500, 48)

    made = ahead(y, Known(regressors=(leader,)), hours=48, model="decomposable")

    expected = 3 * leader.values[500:]
    assert np.abs(made.median - expected).mean() < 1.5
    assert leader.key in {part.name for part in made.parts}


def test_a_regressor_that_ends_too_early_is_refused() -> None:
    y, leader = follower(500, 10)

    with pytest.raises(BadInput, match="end of the horizon"):
        ahead(y, Known(regressors=(leader,)), hours=48)


def test_an_event_the_history_never_saw_teaches_nothing_and_a_note_says_so() -> None:
    after = START_S + 500 * HOUR_S
    event = Event(name="launch", windows_s=((after, after + 5 * HOUR_S),))

    made = ahead(10 + noise(300), Known(events=(event,)))

    assert any("launch" in note and "unknown" in note for note in made.notes)


def test_two_of_one_name_are_refused() -> None:
    event = Event(name="trend", windows_s=((START_S, START_S + HOUR_S),))

    with pytest.raises(BadInput, match="one name"):
        ahead(10 + noise(100), Known(events=(event,)))
