"""One pass over points: warming, alarms, cool-down, their end, and bad input."""

import numpy as np
import pytest

from opsmith.detect import step
from opsmith.detect.fleet import Fleet
from opsmith.detect.state import BAR_TIME, SCORED, fresh
from opsmith.nouns.anomaly import PAGING, Verdict
from tests.builders.plainly import run_plainly

NOISE = np.random.default_rng(11)


def daily(points: int, *, step_s: float = 300.0) -> tuple[np.ndarray, np.ndarray]:
    """A daily sine with noise."""
    times = 1.7e9 + step_s * np.arange(points)
    rng = np.random.default_rng(12)
    return times, 50 + 10 * np.sin(2 * np.pi * times / 86400) + rng.normal(size=points)


def verdicts(times: np.ndarray, values: np.ndarray, **fleet: float) -> list[Verdict]:
    one = Fleet(**fleet)
    row = one.row("s")
    return [one.push(row, t, v) for t, v in zip(times, values, strict=True)]


def test_a_quiet_series_is_warming_then_quiet() -> None:
    found = verdicts(*daily(600))

    assert set(found[:95]) == {Verdict.WARMING}
    assert set(found[95:]) == {Verdict.QUIET}


def test_a_level_shift_is_one_alarm_and_then_a_new_normal() -> None:
    times, values = daily(3000)
    values[2000:] += 100

    found = verdicts(times, values)

    alarms = [n for n, one in enumerate(found) if one in PAGING]
    assert alarms[0] == 2000
    assert len(alarms) <= 3
    assert Verdict.NEW_NORMAL in found[2000:]


def test_a_spike_is_an_alarm_and_then_calm() -> None:
    times, values = daily(3000)
    values[2000:2003] += 200

    found = verdicts(times, values)

    assert found[2000] is Verdict.ALARM
    assert Verdict.CALM in found[2003:]
    assert Verdict.NEW_NORMAL not in found


def test_a_lower_surprise_is_held_during_the_cool_down_and_told_without_one() -> None:
    times, values = daily(3000)
    values[2000:2020] += 200

    quiet, loud = verdicts(times, values), verdicts(times, values, cool_down_s=0.0)

    assert Verdict.HELD in quiet
    assert sum(one in PAGING for one in loud) > sum(one in PAGING for one in quiet)


def test_an_outage_while_warming_is_paged_at_its_third_point() -> None:
    times, values = daily(60, step_s=15.0)
    values[40:] = 0.0

    found = verdicts(times, values)

    assert [n for n, one in enumerate(found) if one in PAGING] == [42]


def test_a_single_spike_or_the_first_life_of_a_resting_series_is_no_outage() -> None:
    times, values = daily(60, step_s=15.0)
    values[40] = 500.0
    rest = np.concatenate((np.zeros(30), np.full(30, 9.0)))

    assert not PAGING & set(verdicts(times, values))
    assert not PAGING & set(verdicts(times, rest))


@pytest.mark.parametrize(
    ("time", "value", "verdict"),
    [
        (1e9, 50.0, Verdict.LATE),
        (1.7e9 + 300 * 599, 50.0, Verdict.LATE),
        (float("nan"), 50.0, Verdict.LATE),
        (float("inf"), 50.0, Verdict.LATE),
        (1.8e9, float("nan"), Verdict.GAP),
        (1.8e9, float("inf"), Verdict.GAP),
        (1.8e9, float("-inf"), Verdict.GAP),
        (1.8e9, 1e300, Verdict.ALARM),
        (1.8e9, 50.0, Verdict.QUIET),
    ],
)
def test_each_odd_sample_has_its_own_answer(time: float, value: float, verdict: Verdict) -> None:
    fleet = Fleet()
    row = fleet.row("s")
    for t, v in zip(*daily(600), strict=True):
        fleet.push(row, t, v)

    assert fleet.push(row, time, value) is verdict
    assert np.isfinite(fleet.state.ring).all()


def test_a_huge_value_does_not_spoil_what_follows() -> None:
    times, values = daily(1000)
    values[500] = 1e300

    found = verdicts(times, values)

    assert found[500] is Verdict.ALARM
    assert set(found[700:]) <= {Verdict.QUIET}


def test_a_constant_series_is_quiet_and_its_first_change_is_an_alarm() -> None:
    times = 1.7e9 + 60.0 * np.arange(1000)
    values = np.full(1000, 7.0)
    values[900] = 8.0

    found = verdicts(times, values)

    assert not PAGING & set(found[:900])
    assert found[900] is Verdict.ALARM


def test_a_counter_is_watched_by_its_rate_and_a_reset_is_no_anomaly() -> None:
    fleet = Fleet()
    row = fleet.row("requests_total", counter=True)
    raw = np.cumsum(np.random.default_rng(13).poisson(600, size=800)).astype(float)
    raw[500:] -= raw[499]
    times = 1.7e9 + 60.0 * np.arange(800)

    found = [fleet.push(row, t, v) for t, v in zip(times, raw, strict=True)]

    assert found[0] is Verdict.GAP
    assert not PAGING & set(found)
    assert fleet.last().value == pytest.approx(10.0, rel=0.3)


def test_a_long_gap_is_no_jump() -> None:
    times, values = daily(1500)
    times[1200:] += 7 * 86400

    assert not PAGING & set(verdicts(times, values))


def test_a_narrow_forecast_band_moves_the_threshold_and_a_wide_one_does_not() -> None:
    fleet = Fleet()
    row = fleet.row("s")
    for t, v in zip(*daily(600), strict=True):
        fleet.push(row, t, v)
    rows = np.zeros(3, np.int64)
    samples = np.array(
        [[1.8e9, 50.0, 49.0, 51.0], [1.8e9 + 1, 50.0, 60.0, 61.0], [1.8e9 + 2, 50.0, 0.0, 99.0]]
    )

    inside, outside, wide = fleet.take(rows, samples)[:, step.THRESHOLD]

    assert outside < wide < inside


def test_the_plain_twin_says_the_same_of_a_hard_day(monkeypatch: pytest.MonkeyPatch) -> None:
    times, values = daily(420, step_s=900.0)
    values[200:204] += 90
    values[300:] += 60
    values[310] = np.nan
    times[330:] += 86400
    samples = np.stack((times, values), axis=1)
    rows = np.zeros(len(times), np.int64)
    fleet = Fleet()
    fleet.row("s")
    compiled = fleet.take(rows, samples)
    run_plainly(monkeypatch)
    wide = np.full((len(rows), 4), np.nan)
    wide[:, :2] = samples
    answers = np.zeros_like(compiled)

    step.run(fresh(1), fleet.rules, rows, wide, answers)

    # residuals are kept in single precision
    assert np.allclose(answers, compiled, rtol=1e-6, equal_nan=True)
    assert np.array_equal(answers[:, step.CODE], compiled[:, step.CODE])
    assert {int(code) for code in answers[:, step.CODE]} >= {step.WARMING, step.ALARM, step.GAP}


def test_the_plain_twins_of_the_rare_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)
    state, fleet = fresh(1), Fleet()
    times, values = daily(200, step_s=60.0)
    values[30:40] = -500.0
    state.scalars[0, 33] = 1.0  # a counter: raw values may fall
    for k, (t, v) in enumerate(zip(times, np.cumsum(np.abs(values)), strict=True)):
        if k == 150:
            state.scalars[0, SCORED] = step.HALVE_EVERY - 1
        sample = np.array([t, v if k != 100 else 3.0, 0.0, 1.0])
        step.step(state, fleet.rules, 0, sample, np.zeros(step.ANSWER))
    late = np.zeros(step.ANSWER)
    step.step(state, fleet.rules, 0, np.array([0.0, 1.0, np.nan, np.nan]), late)

    assert late[step.CODE] == step.LATE
    assert state.scalars[0, SCORED] < step.HALVE_EVERY
    assert state.scalars[0, BAR_TIME] <= times[-1]


def test_an_alarm_ends_plainly_too(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)
    times, values = daily(700, step_s=900.0)
    values[300:302] += 500
    values[20:24] = -1000.0

    found = verdicts(times, values)

    assert {Verdict.ALARM, Verdict.CALM, Verdict.OUTAGE} <= set(found)


def test_a_series_is_left_in_peace_while_its_median_is_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_plainly(monkeypatch)
    rest = np.concatenate((np.zeros(12), np.full(6, 9.0)))

    assert set(verdicts(1.7e9 + 15.0 * np.arange(18), rest)) == {Verdict.WARMING}


@pytest.mark.parametrize(("after", "seen"), [(5.0, False), (6_000.0, True)])
def test_the_interval_of_a_reset_is_a_gap_unless_even_what_is_left_is_much(
    after: float, *, seen: bool
) -> None:
    fleet = Fleet()
    row = fleet.row("requests_total", counter=True)
    raw = np.cumsum(np.random.default_rng(13).poisson(600, size=800)).astype(float)
    for n, value in enumerate(raw):
        fleet.push(row, 1.7e9 + 60.0 * n, value)

    found = fleet.push(row, 1.7e9 + 60.0 * 800, after)

    assert found is (Verdict.ALARM if seen else Verdict.GAP)
