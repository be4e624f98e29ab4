"""The detect flow: samples in, anomalies out, labels remembered."""

import numpy as np
import pytest

from opsmith.detect.state import STRICTNESS
from opsmith.errors import BadInput, HouseError, NotFound
from opsmith.flows.detect_stream import (
    LABELS,
    alarm_rate,
    close_watch,
    expect,
    follow,
    label,
    open_watch,
    replay,
    restart,
)
from opsmith.nouns.anomaly import Label, Sample, Verdict
from opsmith.nouns.forecast import LEVELS, Forecast, Nature
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.testing.state import MemoryStates


def spiked(name: str, at: int, *, points: int = 900) -> Series:
    values = np.tile(np.random.default_rng(at).normal(size=30), points // 30 + 1)[:points]
    values[at] += 40
    return Series(
        name=name,
        labels=(),
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=MetricKind.GAUGE,
        times_s=1.7e9 + 60.0 * np.arange(points),
        values=values,
    )


async def test_replaying_and_following_tell_the_same() -> None:
    series, store = (spiked("a", 500), spiked("b", 700)), MemoryStates()
    replayed = list(replay(await open_watch(store), series))
    samples = [
        Sample(series=one.key, time_s=float(one.times_s[n]), value=float(one.values[n]))
        for n in range(900)
        for one in series
    ]

    followed = list(follow(await open_watch(store), samples))

    alarms = [(one.series, one.id) for one in replayed if one.verdict is Verdict.ALARM]
    assert [key for key, _ in alarms] == ["a", "b"]
    assert [(one.series, one.id) for one in followed if one.verdict is Verdict.ALARM] == alarms


async def test_a_watch_goes_on_where_it_was_closed() -> None:
    store, whole = MemoryStates(), spiked("a", 500)
    watch = await open_watch(store)
    list(replay(watch, (whole,)))
    await close_watch(store, watch)

    again = list(replay(await open_watch(store), (whole,)))

    assert again == []


async def test_series_that_begin_anew_leave_all_others_and_their_labels_alone() -> None:
    watch = await open_watch(MemoryStates())
    series = (spiked("a", 500), spiked("b", 700))
    told = [one for one in replay(watch, series) if one.series == "a"]
    watch.fleet.label(watch.fleet.row("a"), Label.TRUE, 0.5)
    kept = watch.fleet.state.scalars[watch.fleet.row("b")].tobytes()

    restart(watch, {"a", "c"})
    again = list(replay(watch, series[:1]))

    assert watch.fleet.state.scalars[watch.fleet.row("a"), STRICTNESS] == 0.95
    assert watch.fleet.state.scalars[watch.fleet.row("b")].tobytes() == kept
    assert [one.id for one in again] == [one.id for one in told]


async def test_a_counter_on_a_stream_is_seen_as_its_rate() -> None:
    watch = await open_watch(MemoryStates())
    watch.fleet.row("hits_total")  # as a label of an earlier day leaves it

    list(
        follow(
            watch,
            [
                Sample(series="hits_total", time_s=60.0 * n, value=120.0 * n, counter=True)
                for n in range(5)
            ],
        )
    )

    assert watch.fleet.measured == 2.0


async def test_a_label_is_remembered_by_the_series_even_by_a_fresh_watch() -> None:
    store, series = MemoryStates(), (spiked("a", 500),)
    watch = await open_watch(store)
    (alarm,) = [one for one in replay(watch, series) if one.verdict is Verdict.ALARM]
    await close_watch(store, watch)

    key, multiplier = await label(store, alarm.id, Label.FALSE)

    assert key == "a"
    assert multiplier > 1.0
    fresh = await open_watch(store)
    assert fresh.fleet.state.scalars[fresh.fleet.row("a"), STRICTNESS] == multiplier


async def test_what_was_never_told_cannot_be_labelled() -> None:
    with pytest.raises(NotFound):
        await label(MemoryStates(), "cafe", Label.TRUE)


async def test_damaged_labels_are_told() -> None:
    store = MemoryStates()
    await store.save(LABELS, b"[")

    with pytest.raises(HouseError):
        await open_watch(store)


def test_the_alarm_rate_of_a_history_and_thresholds_for_budgets() -> None:
    rate = alarm_rate((spiked("a", 500), spiked("b", 700)))

    assert rate.alarms == 2
    assert rate.days == pytest.approx(2 * 800 / 1440, rel=0.1)
    assert dict(rate.loudest) == {"a": 1, "b": 1}
    assert [threshold for _, threshold in rate.budgets] == sorted(
        threshold for _, threshold in rate.budgets
    )


def test_a_history_shorter_than_the_warm_up_cannot_be_judged() -> None:
    with pytest.raises(BadInput):
        alarm_rate((spiked("a", 3, points=20),))


def promised(key: str, first_s: float, width: float) -> Forecast:
    spread = np.linspace(-width, width, len(LEVELS))
    return Forecast(
        key=key,
        unit="",
        nature=Nature.GAUGE,
        step_s=60.0,
        history_s=np.zeros(0),
        history=np.zeros(0),
        times_s=first_s + 60.0 * np.arange(500),
        quantiles=np.repeat(spread[:, None], 500, axis=1),
        model="blend",
        chosen="last value",
    )


async def test_a_forecast_is_kept_honest_while_samples_come_and_over_a_restart() -> None:
    store, series = MemoryStates(), spiked("a", 850)
    samples = [
        Sample(series="a", time_s=float(t), value=float(y))
        for t, y in zip(series.times_s, series.values, strict=True)
    ]
    watch = await open_watch(store)
    expect(watch, {"a": promised("a", samples[300].time_s, 0.5)})

    list(follow(watch, samples[:800]))
    await close_watch(store, watch)
    again = await open_watch(store)
    expect(again, {"a": promised("a", samples[800].time_s, 0.5)})

    assert watch.corrections["a"].width95 > 2.0
    assert again.forecasts["a"].correction == watch.corrections["a"]


async def test_what_a_sure_forecast_foresaw_needs_more_to_be_an_alarm() -> None:
    series = spiked("a", 500)
    scores = []
    for centre in (None, 40.0, 0.0):
        watch = await open_watch(MemoryStates())
        samples = [
            Sample(series="a", time_s=float(t), value=float(y))
            for t, y in zip(series.times_s[:501], series.values, strict=False)
        ]
        list(follow(watch, samples[:500]))
        if centre is not None:
            made = promised("a", samples[500].time_s, 1.0)
            made.quantiles[:] += centre + series.values[500] - 40.0
            expect(watch, {"a": made})
        list(follow(watch, samples[500:]))
        scores.append(watch.fleet.last().threshold)

    plain, foreseen, not_foreseen = scores
    assert not_foreseen < plain < foreseen
