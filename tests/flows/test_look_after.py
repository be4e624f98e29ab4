"""One look at whether a plan helped."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from opsmith.errors import BadInput, Unreachable
from opsmith.flows.look_after import Eyes, look
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.plan import Check, CheckKind
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.seams.wire import Answer, Pairs, Probed

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
TROUBLE = NOW - timedelta(minutes=20)


def series(values: list[float], *, end: datetime, name: str = "load") -> Series:
    times = end.timestamp() - 60.0 * np.arange(len(values))[::-1]
    return Series(
        name=name,
        labels=(),
        times_s=times,
        values=np.array(values, dtype=float),
        entity=Entity.service("cart"),
        aspect=Aspect.LATENCY,
        unit=Unit.SECONDS,
        kind=MetricKind.GAUGE,
    )


class Store:
    """Answers a range with the history and an instant with the value of now."""

    def __init__(self, history: list[float], now: list[float]) -> None:
        self._history, self._now = history, now

    async def query(self, promql: str, *, at: datetime) -> tuple[Series, ...]:
        del promql
        return (series(self._now, end=at),) if self._now else ()

    async def query_range(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        del promql, start, step
        return (series(self._history, end=end),) if self._history else ()

    async def series(self, *_: object, **__: object) -> tuple[()]:
        return ()


class Door:
    """A server that answers one status."""

    where = "http://cart"

    def __init__(self, status: int) -> None:
        self._status = status

    async def get(self, path: str, query: Pairs) -> Answer:
        del path, query
        return Answer(status=self._status, content=b"")

    async def post(self, path: str, form: Pairs) -> Answer:
        return await self.get(path, form)

    async def send(self, method: str, path: str, document: object = None) -> Answer:
        del method, document
        return await self.get(path, ())

    async def probe(self, method: str, *, most_bytes: int) -> Probed:
        del method, most_bytes
        return Probed(status=self._status, content=b"")

    async def aclose(self) -> None:
        return None


def eyes(history: list[float], now: list[float], *, status: int = 200) -> Eyes:
    return Eyes(
        metrics=Store(history, now), episode=known, wire=lambda _: Door(status), clock=lambda: NOW
    )


async def known(fingerprint: str) -> Episode | None:
    """The alert `f1` fires, `f2` is resolved, no other is known."""
    state = {"f1": EpisodeState.FIRING, "f2": EpisodeState.RESOLVED}.get(fingerprint)
    if state is None:
        return None
    alert = Alert(
        fingerprint=fingerprint,
        name="Slow",
        entity=Entity.service("cart"),
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="",
        severity="page",
        starts_at=NOW,
        ends_at=None,
    )
    return Episode(alert=alert, state=state, first_seen=NOW, turns=(NOW,))


def check(kind: CheckKind, *, since: datetime | None = TROUBLE) -> Check:
    return Check(kind=kind, subject="load", since=since)


CALM = [10.0 + 0.1 * (n % 7) for n in range(600)]


@pytest.mark.parametrize(("now", "holds"), [([], True), ([1.0], False)])
async def test_an_expression_is_quiet_when_it_gives_no_series(
    now: list[float], *, holds: bool
) -> None:
    assert (await look(check(CheckKind.QUIET), eyes([], now))).holds is holds


@pytest.mark.parametrize(("now", "holds"), [([10.3], True), ([40.0], False), ([], False)])
async def test_a_series_helped_is_back_where_it_was_forecast(
    now: list[float], *, holds: bool
) -> None:
    finding = await look(check(CheckKind.WITHIN_BAND), eyes(CALM, now))

    assert finding.holds is holds


async def test_without_a_time_a_history_or_a_server_nothing_can_be_compared() -> None:
    with pytest.raises(BadInput, match="began"):
        await look(check(CheckKind.WITHIN_BAND, since=None), eyes(CALM, [1.0]))
    with pytest.raises(Unreachable, match="history"):
        await look(check(CheckKind.WITHIN_BAND), eyes([], [1.0]))
    blind = Eyes(metrics=None, episode=known, wire=lambda _: Door(200), clock=lambda: NOW)
    with pytest.raises(Unreachable, match="No metrics server"):
        await look(check(CheckKind.QUIET), blind)


@pytest.mark.parametrize(("fingerprint", "holds"), [("f1", False), ("f2", True)])
async def test_an_alert_is_over_when_its_sender_says_so(fingerprint: str, *, holds: bool) -> None:
    resolved = Check(kind=CheckKind.RESOLVED, subject=fingerprint)

    assert (await look(resolved, eyes([], []))).holds is holds
    with pytest.raises(Unreachable, match="not known"):
        await look(Check(kind=CheckKind.RESOLVED, subject="f3"), eyes([], []))


@pytest.mark.parametrize(("status", "holds"), [(204, True), (302, True), (503, False)])
async def test_an_address_is_well_when_it_answers_below_400(status: int, *, holds: bool) -> None:
    assert (await look(check(CheckKind.HTTP_OK), eyes([], [], status=status))).holds is holds
