"""Dating: the onset of an incident before which next to nothing was recorded."""

from dataclasses import replace

import numpy as np
import pytest
from small_systems import ALARM_S, CART, END_S, FRONT, GRID, T0, alarm, line, moment, recording

from opsmith.localise.dating import sound_periods
from opsmith.localise.periods import Periods, read_periods
from opsmith.nouns.recording import Recording, Window
from opsmith.nouns.series import Aspect, Series


def periods(case: Recording) -> Periods:
    found = read_periods(case)
    assert found is not None
    return sound_periods(case, found)


def test_without_anything_fault_free_the_onset_is_found_from_the_alerting_entity() -> None:
    case = recording(
        window=Window(start=moment(T0 - 500.0), end=moment(END_S)),
        series=(line(FRONT, Aspect.LATENCY, 0.1, 0.6), line(CART, Aspect.CPU, 0.1, 0.1)),
        alerting=(FRONT,),
    )

    found = periods(case)

    assert found.start_s == pytest.approx(ALARM_S)
    assert found.fault_free(GRID).sum() > 50


def test_what_begins_well_before_users_suffer_is_no_part_of_the_reference() -> None:
    lost = replace(
        line(CART, Aspect.CPU, 0.1, 0.1), values=np.where(GRID < ALARM_S - 40.0, 0.1, 0.9)
    )
    case = recording(
        window=Window(start=moment(T0 - 500.0), end=moment(END_S)),
        series=(line(FRONT, Aspect.LATENCY, 0.1, 0.6), lost),
        alerting=(FRONT,),
    )

    long, short = periods(case), periods(later(case, ALARM_S - 50.0))

    assert not long.fault_free(GRID[GRID >= ALARM_S - 60.0]).any()
    assert short.earliest_s == pytest.approx(ALARM_S - 25.0, abs=5.0)


def later(case: Recording, first_s: float) -> Recording:
    """The same, recorded from `first_s` on."""
    cut = (
        replace(one, times_s=GRID[first_s <= GRID], values=one.values[first_s <= GRID])
        for one in case.series
    )
    return replace(case, series=tuple(cut))


def unannounced(one: Series) -> Recording:
    """No fault-free stretch is known, only when the alarm came."""
    return recording(
        window=Window(start=moment(T0 - 500.0), end=moment(END_S)),
        series=(one,),
        alerts=(alarm(FRONT),),
        alerting=(FRONT,),
    )


def test_what_rises_while_it_starts_or_long_after_the_alarm_dates_no_onset() -> None:
    flat = line(FRONT, Aspect.LATENCY, 0.1, 0.1, wobble=0.0)
    starting = replace(flat, values=np.where(np.arange(len(GRID)) < 2, 0.1, 0.6))
    cure = replace(flat, values=np.where(GRID < ALARM_S + 1.0 + 60.0 + 15.0, 0.1, 0.6))

    for one in (starting, cure):
        found = periods(unannounced(one))

        assert found.start_s == pytest.approx(ALARM_S + 1.0 - 60.0)
        assert found.alarm_s == pytest.approx(ALARM_S + 1.0)
        assert found.fault_free(GRID).sum() > 4


def test_calls_that_take_a_little_longer_do_not_date_an_alarm_for_errors() -> None:
    slower = line(FRONT, Aspect.LATENCY, 0.100, 0.150)
    of_errors = replace(unannounced(slower), alerts=(alarm(FRONT, Aspect.ERRORS),))
    of_who_knows = replace(unannounced(slower), alerts=(alarm(FRONT, Aspect.OTHER),))

    assert periods(of_errors).start_s == pytest.approx(ALARM_S + 1.0 - 60.0)
    assert periods(of_who_knows).start_s == pytest.approx(ALARM_S)


def test_an_alarm_for_the_third_burst_of_errors_counts_from_the_first() -> None:
    after = GRID - (ALARM_S - 200.0)
    bursts = np.where((after >= 0.0) & (after % 100.0 < 10.0) & (GRID < ALARM_S + 1.0), 0.7, 0.0)
    failing = replace(line(FRONT, Aspect.ERRORS, 0.0, 0.0), values=bursts)
    case = replace(unannounced(failing), alerts=(alarm(FRONT, Aspect.ERRORS),))

    found = periods(case)

    assert found.alarm_s == pytest.approx(ALARM_S - 200.0, abs=10.0)
    assert found.start_s == pytest.approx(ALARM_S - 260.0, abs=10.0)


def test_without_a_reference_and_without_a_change_the_announcement_stands() -> None:
    case = recording(
        window=Window(start=moment(T0 - 500.0), end=moment(END_S)),
        series=(line(CART, Aspect.CPU, 0.1, 0.1),),
    )

    assert periods(case).start_s == pytest.approx(T0 - 500.0)
