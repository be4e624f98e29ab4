"""The metric watch over recorded series that a clock set by hand reveals."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from opsmith.audit.states import of_label
from opsmith.backends.metrics.recorded import RecordedMetrics
from opsmith.backends.state.files import FileStates
from opsmith.errors import BadAnswer
from opsmith.flows.metric_watch.ahead import Reach
from opsmith.flows.metric_watch.gather import SAMPLES_AT_ONCE, Chosen, newest
from opsmith.flows.metric_watch.signals import Signals
from opsmith.flows.metric_watch.watching import MetricWatch, Plan
from opsmith.nouns.anomaly import Label
from opsmith.nouns.forecast import Side
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.session import Principal
from opsmith.nouns.sign import Sign, SignKind, Threshold
from opsmith.testing.ledger import MemoryLedger

STEP = timedelta(seconds=15)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = 3


def series(name: str, values: Sequence[float], **labels: str) -> Series:
    times = BEGIN.timestamp() + STEP.total_seconds() * np.arange(len(values), dtype=np.float64)
    return Series(
        name=name,
        labels=tuple(sorted(labels.items())),
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=MetricKind.GAUGE,
        times_s=times,
        values=np.asarray(values, dtype=np.float64),
    )


def shop(*, broken_from: int, points: int = HOURS * 240) -> list[Series]:
    """A service whose calls fail and slow down from one scrape on."""
    rng = np.random.default_rng(7)
    calls = rng.poisson(300, points).astype(float)
    failed = rng.poisson(1.5, points).astype(float)
    failed[broken_from:] += 60
    took = calls * rng.normal(0.05, 0.002, points)
    took[broken_from:] *= 4
    where = {"service": "cart", "instance": "10.0.0.7:80", "job": "shop"}
    return [
        series("http_requests_total", np.cumsum(calls - failed).tolist(), code="200", **where),
        series("http_requests_total", np.cumsum(failed).tolist(), code="500", **where),
        series("http_request_duration_seconds_sum", np.cumsum(took).tolist(), **where),
        series("http_request_duration_seconds_count", np.cumsum(calls).tolist(), **where),
        series("process_open_fds", (40 + rng.integers(0, 4, points)).tolist(), **where),
    ]


class Ears:
    def __init__(self) -> None:
        self.heard: list[Sign] = []

    async def hear(self, signs: Sequence[Sign]) -> None:
        self.heard += signs


def plan(*thresholds: Threshold, most: int = 100) -> Plan:
    return Plan(
        selectors=('{__name__=~"http_.*|process_.*|disk_.*"}',),
        thresholds=thresholds,
        rules=False,
        most=most,
        step=STEP,
    )


class World:
    def __init__(self, recorded: Sequence[Series], folder: Path) -> None:
        self.ledger = MemoryLedger()
        self.ears = Ears()
        self.now = BEGIN
        self.recorded = recorded
        self.folder = folder

    def open(self, asked: Plan) -> MetricWatch:
        return MetricWatch(
            RecordedMetrics(self.recorded),
            ledger=self.ledger,
            store=FileStates(self.folder),
            plan=asked,
            tell=self.ears.hear,
            clock=lambda: self.now,
        )

    async def run(self, watch: MetricWatch, *, start: int, end: int) -> None:
        """Scrape after scrape, by their numbers."""
        for number in range(start, end):
            self.now = BEGIN + number * STEP + timedelta(seconds=4)
            await watch.scrape()


@pytest.fixture
def world(tmp_path: Path) -> Callable[[Sequence[Series]], World]:
    return lambda recorded: World(recorded, tmp_path)


def test_raw_series_become_rates_means_and_failing_shares_of_their_component() -> None:
    signals = Signals()
    whole = shop(broken_from=10_000, points=10)
    first = [replace(one, times_s=one.times_s[:5], values=one.values[:5]) for one in whole]

    signals.take(first)
    samples = signals.take(whole)

    assert {
        (s.signal.key.partition("{")[0], s.signal.key.rpartition("}")[2]) for s in samples
    } == {
        ("http_requests_total", " a second"),
        ("http_requests_total", " failing share"),
        ("http_request_duration_seconds", " a second"),
        ("http_request_duration_seconds", " mean"),
        ("process_open_fds", ""),
    }
    mean = [s.value for s in samples if s.signal.key.endswith(" mean")]
    assert len(mean) == 5
    assert all(0.04 < value < 0.06 for value in mean)
    assert {str(s.signal.entity) for s in samples} == {"service:cart"}


def test_the_first_failure_of_a_kind_counts_and_a_restart_counts_from_zero() -> None:
    signals = Signals()
    where = {"instance": "a", "job": "j"}
    signals.take([series("x_requests_total", [100, 130], code="200", **where)])

    late = series("x_requests_total", [np.nan, np.nan, 30], code="500", **where)
    samples = signals.take([series("x_requests_total", [100, 130, 15], code="200", **where), late])

    values = {s.signal.key.rpartition("}")[2]: s.value for s in samples}
    assert values == {" a second": 3.0, " failing share": pytest.approx(30 / 45)}


async def test_it_learns_from_history_and_tells_what_breaks(
    world: Callable[[Sequence[Series]], World],
) -> None:
    made = world(shop(broken_from=500))
    watch = made.open(plan())
    await watch.load()

    await made.run(watch, start=480, end=500)
    before = list(made.ears.heard)
    await made.run(watch, start=500, end=520)

    assert before == []
    assert {(sign.kind, str(sign.entity)) for sign in made.ears.heard} == {
        (SignKind.ANOMALY, "service:cart")
    }
    assert {Aspect.ERRORS, Aspect.LATENCY} <= {sign.aspect for sign in made.ears.heard}
    assert watch.signs() == tuple({sign.id: sign for sign in made.ears.heard}.values())


async def test_a_restart_goes_on_without_a_jump_and_repeats_nothing(
    world: Callable[[Sequence[Series]], World],
) -> None:
    made = world(shop(broken_from=500))
    watch = made.open(plan())
    await watch.load()
    await made.run(watch, start=490, end=510)
    await watch.close()
    told = {sign.id for sign in made.ears.heard}

    again = made.open(plan())
    await again.load()
    await made.run(again, start=512, end=530)

    assert again.following.signals == watch.following.signals
    assert {sign.id for sign in made.ears.heard if sign.stands} == told
    assert {sign.id for sign in again.signs()} == told


async def test_a_label_reaches_the_running_detectors_once(
    world: Callable[[Sequence[Series]], World],
) -> None:
    made = world(shop(broken_from=500))
    watch = made.open(plan())
    await watch.load()
    await made.run(watch, start=490, end=510)
    sign = made.ears.heard[0]

    await made.ledger.append(
        [of_label(sign.id, Label.FALSE, at=made.now, by=Principal(name="ann"))], durable=True
    )
    await made.run(watch, start=510, end=512)

    moved = watch.following.strictness(sign.series)
    assert moved > 1.0
    await made.run(watch, start=512, end=513)
    assert watch.following.strictness(sign.series) == moved


async def test_more_signals_than_there_is_room_for_are_turned_away_and_counted(
    world: Callable[[Sequence[Series]], World],
) -> None:
    crowd = [series("disk_io_now", [1.0] * 20, device=f"d{n}") for n in range(80)]
    made = world([*shop(broken_from=10_000, points=20), *crowd])
    watch = made.open(plan(most=8))
    await watch.load()

    await made.run(watch, start=10, end=12)

    assert watch.following.signals <= 8
    assert ("disk_io_now", 80) in watch.chosen.left_out


async def test_what_is_too_much_for_one_answer_is_asked_for_in_parts_without_loss() -> None:
    crowd = [series("disk_io_now", list(range(300)), device=f"d{n}") for n in range(120)]
    few = [series("disk_reads_now", [1.0] * 300, device="d0")]
    chosen = Chosen(names=(("disk_io_now", 120), ("disk_reads_now", 1)))
    now = BEGIN + 299 * STEP
    parts = [
        part
        async for part in newest(
            RecordedMetrics([*crowd, *few]), chosen, window=300 * STEP, step=STEP, now=now
        )
    ]

    found: dict[tuple[str, tuple[tuple[str, str], ...]], set[float]] = {}
    for one in (one for part in parts for one in part):
        known = found.setdefault((one.name, one.labels), set())
        assert all(at >= max(known, default=0.0) for at in one.times_s)
        known |= set(one.times_s.tolist())
    assert {len(times) for times in found.values()} == {300}
    assert len(found) == 121
    assert max(sum(one.times_s.size for one in part) for part in parts) <= SAMPLES_AT_ONCE


async def test_a_server_that_says_nothing_new_is_said_aloud(
    world: Callable[[Sequence[Series]], World],
) -> None:
    made = world(shop(broken_from=10_000, points=100))
    watch = made.open(plan())
    await watch.load()
    await made.run(watch, start=90, end=100)

    with pytest.raises(BadAnswer, match="no sample for"):
        await made.run(watch, start=100, end=120)


async def test_a_disk_that_fills_is_warned_of_before_it_is_full_and_once(
    world: Callable[[Sequence[Series]], World],
) -> None:
    rng = np.random.default_rng(3)
    free = np.full(480, 0.6) + rng.normal(0, 0.001, 480)
    free[240:400] = np.linspace(0.6, 0.1, 160) + rng.normal(0, 0.001, 160)
    free[400:] = 0.6
    made = world([series("disk_free_ratio", free.tolist(), instance="db-1:9100", job="node")])
    full = Threshold(
        name="disk full", promql="disk_free_ratio", side=Side.BELOW, value=0.0, origin="cap"
    )
    watch = made.open(plan(full))
    reach = Reach(
        history=timedelta(hours=1),
        step=STEP,
        ahead=timedelta(minutes=20),
        every=timedelta(minutes=1),
    )
    await watch.load()
    states: list[str] = []
    for number in range(200, 480, 8):
        made.now = BEGIN + number * STEP
        await watch.look_ahead(reach)
        states.append("".join("!" if sign.stands else "." for sign in watch.signs()))

    signs = watch.signs()
    assert {sign.kind for sign in signs} == {SignKind.WARNING}
    assert states[0] == ""
    assert any("!" in state for state in states)
    assert "!" not in states[-1]
    assert len(signs) == 1
    begin = signs[0]
    assert begin.due_at is not None
    assert begin.at < BEGIN + 400 * STEP
    assert "disk full: It will be below 0" in begin.claim
