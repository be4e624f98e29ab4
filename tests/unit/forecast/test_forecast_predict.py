"""One series, one forecast; and a defined answer to everything bad that can come in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_for_forecasts import START_S, series, wave

from opsmith.errors import BadInput
from opsmith.forecast.grid import regular
from opsmith.forecast.nature import bounds_of
from opsmith.forecast.predict import forecast, judge
from opsmith.forecast.scoring import mean_scores, naive_error, score_series
from opsmith.nouns.forecast import Event, Forecast, Known, Nature
from opsmith.nouns.series import MetricKind, Unit

QUICK = frozenset({"gaussian process"})
HOUR_S = 3600.0


def ahead(values: np.ndarray, hours: float = 24, **kinds: object) -> Forecast:
    return forecast(series(values, **kinds), horizon_s=hours * HOUR_S, without=QUICK)  # type: ignore[arg-type]


def test_a_wave_is_carried_on_and_the_answer_says_by_whom_and_why() -> None:
    y = wave(24 * 30)

    made = forecast(series(y[: 24 * 28]), horizon_s=48 * HOUR_S)

    assert np.abs(made.median - y[24 * 28 :]).mean() < 0.4
    assert made.chosen in {trial.name for trial in made.trials}
    assert sum(trial.weight for trial in made.trials) == pytest.approx(1.0)
    assert made.why[0].startswith(f"Chosen: {made.chosen}")
    assert np.sum([part.values for part in made.parts], axis=0) == pytest.approx(made.median)
    assert made.times_s[0] == made.history_s[-1] + HOUR_S


def test_the_same_series_gives_the_same_forecast_twice() -> None:
    first, second = ahead(wave(300)), ahead(wave(300))

    assert first.quantiles.tolist() == second.quantiles.tolist()


def test_the_choice_and_each_candidate_can_be_asked_for() -> None:
    one = series(wave(300))

    chosen = forecast(one, horizon_s=6 * HOUR_S, model="choice", without=QUICK)
    naive = forecast(one, horizon_s=6 * HOUR_S, model="day before", without=QUICK)

    assert naive.median.tolist() == one.values[276:282].tolist()
    assert chosen.model == "choice"
    with pytest.raises(BadInput, match="no candidate"):
        forecast(one, horizon_s=6 * HOUR_S, model="oracle", without=QUICK)


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [np.nan] * 50, [np.inf, 1.0, 2.0]])
def test_fewer_than_three_usable_values_are_refused(values: list[float]) -> None:
    with pytest.raises(BadInput, match="too few"):
        ahead(np.array(values))


@pytest.mark.parametrize("horizon_s", [0.0, -1.0, np.inf, np.nan])
def test_a_horizon_that_is_none_is_refused(horizon_s: float) -> None:
    with pytest.raises(BadInput, match="horizon"):
        forecast(series(wave(50)), horizon_s=horizon_s)


def test_three_values_are_carried_on_with_a_width() -> None:
    made = ahead(np.array([1.0, 2.0, 4.0]), hours=3)

    assert made.quantiles.shape[1] == 3
    assert np.isfinite(made.quantiles).all()


def test_a_constant_stays_with_no_width() -> None:
    made = ahead(np.full(200, 7.0))

    assert made.nature is Nature.CONSTANT
    assert np.unique(made.quantiles).tolist() == [7.0]
    assert any("never changed" in sentence for sentence in made.why)


def test_one_spike_on_a_flat_line_does_not_come_again() -> None:
    y = np.full(24 * 14, 5.0)
    y[200] = 500.0

    made = ahead(y)

    assert np.abs(made.median - 5.0).max() < 1.0


def test_a_spike_at_the_end_is_not_carried_on() -> None:
    y = wave(24 * 14)
    y[-1] = 500.0

    assert np.median(ahead(y).median) < 30.0


def test_infinities_and_1e300_are_gaps_and_it_is_said() -> None:
    y = wave(24 * 14)
    y[[50, 60, 70]] = [np.inf, -np.inf, 1e300]

    made = ahead(y)

    assert np.abs(made.quantiles).max() < 100
    assert any("3 infinite" in note for note in made.notes)


def test_a_horizon_longer_than_the_history_is_answered_with_a_warning() -> None:
    made = ahead(wave(30), hours=72)

    assert made.times_s.size == 72
    assert np.isfinite(made.quantiles).all()
    width = made.level(0.975) - made.level(0.025)
    assert width[-1] >= width[10]
    assert any("longer than the history" in note for note in made.notes)


def test_a_counter_that_resets_is_forecast_as_a_rate() -> None:
    total = np.cumsum(np.full(300, 3600.0))
    total[150:] -= total[149]

    made = ahead(total, kind=MetricKind.COUNTER)

    assert made.nature is Nature.CONSTANT or made.nature is Nature.COUNTER
    assert made.median == pytest.approx(np.ones(24))
    assert any("reset" in note for note in made.notes)
    assert (made.quantiles >= 0).all()


def test_a_counter_with_a_daily_pattern_says_what_it_is() -> None:
    made = ahead(np.cumsum(wave(300)), kind=MetricKind.COUNTER)

    assert made.nature is Nature.COUNTER


def test_a_ratio_stays_within_its_bounds_and_percent_are_known() -> None:
    rising = np.linspace(0.2, 0.99, 300)

    ratio, percent = ahead(rising, unit=Unit.RATIO), ahead(100 * rising, unit=Unit.RATIO)

    assert ratio.quantiles.max() <= 1.0
    assert 1.0 < percent.quantiles.max() <= 100.0


def test_whole_numbers_stay_whole_and_positive_ones_positive() -> None:
    made = ahead(np.random.default_rng(0).poisson(1.0, 300).astype(float))

    assert made.nature is Nature.COUNT
    assert (made.quantiles == np.rint(made.quantiles)).all()
    assert (made.quantiles >= 0).all()


def test_means_of_whole_numbers_need_not_be_whole() -> None:
    times = START_S + 15.0 * np.arange(40_000)
    counts = np.random.default_rng(0).poisson(3.0, times.size).astype(float)

    made = forecast(series(counts, times_s=times), horizon_s=6 * HOUR_S, without=QUICK)

    assert not (made.quantiles == np.rint(made.quantiles)).all()


def test_irregular_duplicate_and_daylight_saving_times_are_put_in_order() -> None:
    y = wave(24 * 14)
    times = START_S + HOUR_S * np.arange(y.size)
    times[100:] -= HOUR_S  # a local clock set back by an hour
    times += np.random.default_rng(0).uniform(-100, 100, y.size)

    made = forecast(series(y, times_s=times), horizon_s=24 * HOUR_S, without=QUICK)

    assert made.step_s == HOUR_S
    assert np.isfinite(made.quantiles).all()


def test_a_known_event_is_a_part() -> None:
    y = wave(24 * 14)
    last = START_S + HOUR_S * y.size
    event = Event(name="backup", windows_s=((START_S, START_S + 9_000), (last, last + 9_000)))

    made = forecast(series(y), horizon_s=6 * HOUR_S, known=Known(events=(event,)), without=QUICK)

    assert "event 0" not in {part.name for part in made.parts}
    assert "backup" in {part.name for part in made.parts}


def test_gaps_through_all_folds_leave_a_random_walk() -> None:
    y = np.full(60, np.nan)
    y[:4] = [1.0, 2.0, 1.0, 2.0]

    made = ahead(y, hours=3)

    assert np.isfinite(made.quantiles).all()


@settings(max_examples=25)
@given(st.lists(st.floats(-1e9, 1e9, width=32), min_size=3, max_size=40), st.integers(1, 60))
def test_anything_finite_gets_an_ordered_finite_answer(values: list[float], hours: int) -> None:
    made = ahead(np.array(values), hours=hours)

    assert np.isfinite(made.quantiles).all()
    assert (np.diff(made.quantiles, axis=0) >= 0).all()


def test_scores_on_history_hold_the_end_back() -> None:
    found = score_series(series(wave(400)), horizon_s=24 * HOUR_S, without=QUICK)
    scores = mean_scores([found, found])

    assert {"blend", "choice", "day before"} <= {score.model for score in scores}
    assert all(score.tries == 6 for score in scores if score.model == "blend")
    assert scores[0].mase <= scores[-1].mase
    assert 0 <= scores[0].covered80 <= scores[0].covered95 <= 1


def test_nothing_is_scored_on_too_short_or_dead_series() -> None:
    dead = series(np.full(400, 2.0))

    assert score_series(dead, horizon_s=24 * HOUR_S, without=QUICK) == {}
    assert score_series(series(wave(30)), horizon_s=24 * HOUR_S, without=QUICK) == {}
    assert naive_error(np.array([1.0, np.nan]), 0) == 0.0


def test_where_no_fold_was_observed_the_last_value_walks_at_random() -> None:
    y = np.full(60, np.nan)
    y[:4] = [1.0, 2.0, 1.0, 2.0]
    bounds = bounds_of(y, Unit.UNKNOWN, MetricKind.GAUGE)

    judged = judge(regular(y, step_s=HOUR_S), 5, bounds, without=QUICK)

    assert judged.names[judged.picked] == "last value"
    assert judged.median.tolist() == [2.0] * 5
    assert judged.quantiles[-1, -1] > judged.quantiles[-1, 0] > 2.0


def test_one_huge_spike_leaves_the_forecast_and_its_parts_alone() -> None:
    y = wave(24 * 28)
    spoilt = y.copy()
    spoilt[24 * 20] = 1e6

    clean = forecast(series(y), horizon_s=24 * HOUR_S)
    made = forecast(series(spoilt), horizon_s=24 * HOUR_S)

    usual = np.ptp(y)
    assert np.abs(made.median - clean.median).max() < 0.1 * usual
    for part in made.parts:
        assert np.ptp(part.values) < 2.0 * usual, part.name


def test_a_constant_is_wrong_by_nothing() -> None:
    assert "wrong by 0 on average" in ahead(np.full(300, 5.0)).why[0]
