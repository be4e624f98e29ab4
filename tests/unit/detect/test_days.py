"""The slow channels: a day like no day before is an alarm, and becomes usual in time."""

import math

import numpy as np
import pytest

from opsmith.detect import days
from opsmith.detect.fleet import Fleet
from opsmith.detect.state import DAYS_KNOWN, SCALARS, fresh
from opsmith.nouns.anomaly import PAGING
from tests.builders.plainly import run_plainly

DAY = 288


def spiky(length: int) -> np.ndarray:
    """A daily pattern with rare spikes so high that no level is ever new."""
    rng = np.random.default_rng(31)
    times = 1.7e9 + 300.0 * np.arange(length)
    values = 50 + 10 * np.sin(2 * np.pi * times / 86400) + rng.normal(size=length)
    values[rng.random(length) < 0.01] += 100
    return np.stack((times, values), axis=1)


def alarms(samples: np.ndarray) -> list[tuple[int, str]]:
    """The points that page, each with the view that weighs most."""
    fleet = Fleet()
    row = fleet.row("s")
    found = []
    for at, (time_s, value) in enumerate(samples):
        if fleet.push(row, time_s, value) in PAGING:
            found.append((at, fleet.last().views[0][0]))
    return found


def test_a_drift_below_heights_that_were_seen_is_found_by_its_hours() -> None:
    samples = spiky(14 * DAY)
    first = 10 * DAY
    samples[first : first + 2 * DAY, 1] += np.linspace(0, 40, 2 * DAY)

    found = [one for one in alarms(samples) if one[0] >= first]

    assert found
    assert {view for _, view in found} & set(days.NAMES)


def test_without_a_fault_the_slow_channels_are_silent() -> None:
    assert not [view for _, view in alarms(spiky(14 * DAY)) if view in days.NAMES]


def test_nothing_is_above_earlier_days_before_two_days_are_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_plainly(monkeypatch)
    state, out = fresh(1), np.zeros(days.CHANNELS)
    scalars = state.scalars[0]
    scalars[days.SINCE] = 3600.0

    found = [
        days.follow_days(scalars, state.days[0], 3600.0 * (n + 1), gap, 0.0, out)
        for n, gap in enumerate([1.0] * 47 + [1.0] + [50.0] * 5)
    ]

    assert max(found[:47]) == 0.0
    assert found[-1] > 2.0


def test_few_days_make_the_same_height_less_strange(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)
    scalars, channel = np.zeros(SCALARS), np.zeros(4, np.float32)
    channel[days.VARIANCE] = math.log(2.0) ** 2

    def after(known: float) -> float:
        scalars[DAYS_KNOWN] = known
        return days.above(scalars, channel, 8.0)

    assert after(0.0) == 0.0
    assert 0.0 < after(1.0) < after(5.0) < after(28.0) < 3.0  # log 8 is three log 2


def test_an_incident_teaches_no_more_than_two_deviations(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)
    scalars, channels = np.zeros(SCALARS), np.zeros((3, 4), np.float32)
    for known in range(10):
        scalars[DAYS_KNOWN] = known
        channels[:, days.GREATEST] = 1.0
        days.close_day(scalars, channels)
    before = channels[0, days.MEAN]

    channels[:, days.GREATEST] = 1e6
    days.close_day(scalars, channels)

    assert before < channels[0, days.MEAN] < 0.2
