"""Onset: robust levels before and during the incident, and when it began."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_systems import ALARM_S, CART, END_S, FRONT, GRID, T0, alarm, line, moment, recording

from opsmith.localise.dating import sound_periods
from opsmith.localise.onset import by_grid, measure_shifts
from opsmith.localise.periods import Periods, read_periods
from opsmith.nouns.recording import Recording, Window
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit


def periods(case: Recording) -> Periods:
    found = read_periods(case)
    assert found is not None
    return sound_periods(case, found)


def shifts(*series: Series) -> dict[str, np.ndarray]:
    case = recording(series=series)
    found = measure_shifts(case.series, periods(case))
    return {name: getattr(found, name) for name in found.__slots__}


def test_a_step_is_measured_in_its_unit_and_in_spreads() -> None:
    found = shifts(line(CART, Aspect.LATENCY, 0.1, 0.5))

    assert found["before"][0] == pytest.approx(0.1, rel=0.02)
    assert found["rise"][0] == pytest.approx(0.4, rel=0.05)
    assert found["rise_z"][0] > 100
    assert found["onset_s"][0] == pytest.approx(ALARM_S)


def test_a_counter_is_read_as_a_rate_and_survives_a_restart() -> None:
    counter = line(CART, Aspect.TRAFFIC, 5.0, 50.0, unit=Unit.COUNT, kind=MetricKind.COUNTER)
    restarted = counter.values.copy()
    restarted[30:] -= restarted[30]

    found = shifts(replace(counter, values=restarted))

    assert found["before"][0] == pytest.approx(0.5, rel=0.05)
    assert found["rise"][0] == pytest.approx(4.5, rel=0.1)


def test_a_flat_line_does_not_explode() -> None:
    found = shifts(line(CART, Aspect.LATENCY, 0.0, 0.001, wobble=0.0))

    assert found["rise_z"][0] == pytest.approx(2.0)


def test_a_single_value_counts_half() -> None:
    values = np.where(GRID < ALARM_S, 0.1, np.nan)
    values[-3] = 0.5
    found = shifts(replace(line(CART, Aspect.LATENCY, 0.1, 0.1), values=values))

    assert found["rise"][0] == pytest.approx(0.2)


def test_a_series_without_values_says_nothing() -> None:
    empty = replace(line(CART, Aspect.LATENCY, 0.1, 0.1), values=np.full(len(GRID), np.nan))

    assert np.isnan(shifts(empty)["rise_z"][0])


def test_a_series_that_ends_before_the_incident_says_nothing() -> None:
    whole = line(CART, Aspect.LATENCY, 0.1, 0.1)
    ended = replace(whole, times_s=whole.times_s[:20], values=whole.values[:20])

    found = shifts(ended)

    assert np.isnan(found["rise_z"][0])
    assert np.isnan(found["onset_s"][0])


def test_an_unknown_unit_takes_its_floor_from_the_values() -> None:
    found = shifts(line(CART, Aspect.POOL, 0.0, 16.0, wobble=0.0))

    assert found["rise_z"][0] == pytest.approx(20.0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(st.floats(-1e9, 1e9), st.just(float("nan")), st.just(float("inf"))),
        min_size=len(GRID),
        max_size=len(GRID),
    )
)
def test_a_rise_is_finite_and_never_negative_or_unknown(values: list[float]) -> None:
    found = shifts(replace(line(CART, Aspect.CPU, 0.1, 0.1), values=np.array(values)))
    rise = found["rise_z"][0]

    assert np.isnan(rise) or (np.isfinite(rise) and rise >= 0.0)


def test_batches_give_what_single_series_give() -> None:
    rng = np.random.default_rng(3)
    many = tuple(
        replace(line(CART, Aspect.LATENCY, 0.1, 0.2), values=rng.random(len(GRID)))
        for _ in range(30)
    )

    together = shifts(*many)

    for row, one in enumerate(many):
        alone = shifts(one)
        for name, values in together.items():
            assert values[row] == pytest.approx(alone[name][0], nan_ok=True)


def test_series_of_one_scrape_share_a_grid_and_counters_stand_apart() -> None:
    gauge = line(CART, Aspect.CPU, 0.1, 0.1)
    counter = line(CART, Aspect.TRAFFIC, 1.0, 1.0, kind=MetricKind.COUNTER)
    copied = replace(gauge, times_s=GRID.copy())

    groups = [places.tolist() for places, _ in by_grid((gauge, counter, copied))]

    assert groups == [[0, 2], [1]]


def test_the_alarm_is_the_first_alert_on_whoever_suffers() -> None:
    case = recording(alerts=(alarm(CART), alarm(FRONT)), alerting=(FRONT,))
    found = periods(case)

    assert found.alarm_s == pytest.approx(ALARM_S + 1.0)
    assert read_periods(replace(case, window=None)) is None


def test_an_alarm_outside_the_window_is_not_believed() -> None:
    early = replace(alarm(FRONT), starts_at=moment(T0 - 5000.0))

    assert periods(recording(alerts=(early,))).alarm_s == pytest.approx(ALARM_S)


def test_a_given_reference_is_used_alone_and_never_the_incident() -> None:
    window = Window(start=moment(T0 + 100.0), end=moment(ALARM_S + 50.0))
    found = periods(recording(reference=(window,), series=(line(CART, Aspect.CPU, 1.0, 1.0),)))

    inside = found.fault_free(GRID)

    assert not inside[GRID < T0 + 100.0].any()
    assert not inside[GRID >= ALARM_S - 60.0].any()
    assert inside[(GRID >= T0 + 100.0) & (GRID < ALARM_S - 60.0)].all()


def test_candidate_onsets_lead_up_to_the_alarm() -> None:
    near = periods(recording()).onsets_s()
    late = replace(alarm(FRONT), starts_at=moment(END_S) - timedelta(seconds=1))
    window = Window(start=moment(ALARM_S - 300.0), end=moment(END_S))
    far = periods(recording(alerts=(late,), alerting=(FRONT,), window=window)).onsets_s()

    assert np.allclose(near, [ALARM_S - 60.0, ALARM_S - 30.0, ALARM_S])
    assert len(far) == 7
    assert far[-1] == pytest.approx(END_S - 1.0)


def test_restarts_are_counted_whatever_the_time_between_two_samples() -> None:
    died = np.cumsum(np.isin(np.arange(len(GRID)), np.flatnonzero(GRID >= ALARM_S)[[1, 3, 4]]))
    counter = line(CART, Aspect.RESTARTS, 0.0, 0.0, unit=Unit.COUNT, kind=MetricKind.COUNTER)
    gaps = np.where(np.arange(len(GRID)) % 5 == 0, np.nan, died.astype(np.float64))

    for values in (died.astype(np.float64), gaps):
        found = shifts(replace(counter, values=values))

        assert found["high"][0] == 3.0
        assert found["rise"][0] == 3.0


def test_a_start_time_that_moves_is_counted_as_restarts() -> None:
    one = line(CART, Aspect.RESTARTS, 0.0, 0.0, unit=Unit.SECONDS)
    started = T0 + np.where(GRID < ALARM_S, 0.0, np.floor((GRID - T0) / 30.0) * 30.0)

    found = shifts(replace(one, values=started))

    assert found["before"][0] == 0.0
    assert found["rise"][0] == pytest.approx(4.0, abs=0.5)
