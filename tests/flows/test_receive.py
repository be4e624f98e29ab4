import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opsmith.errors import Unreachable
from opsmith.flows.receive import Inbox
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.record import Entry, Record
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.seams.ledger import Wanted
from opsmith.testing.ledger import MemoryLedger

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def alert(fingerprint: str = "f", *, resolved: bool = False) -> Alert:
    return Alert(
        fingerprint=fingerprint,
        name="Slow",
        entity=Entity.service("cart"),
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="latency",
        severity="critical",
        starts_at=NOW,
        ends_at=NOW + timedelta(minutes=1) if resolved else None,
        caller=Entity.service("front"),
        labels=(("a", "b"),),
        annotations=(("c", "d"),),
    )


class Told:
    def __init__(self) -> None:
        self.episodes: list[Episode] = []

    async def __call__(self, episodes: Sequence[Episode]) -> None:
        self.episodes.extend(episodes)


class FailingOnce(MemoryLedger):
    failed = False

    async def append(self, entries: Sequence[Entry], *, durable: bool) -> tuple[Record, ...]:
        await asyncio.sleep(0)
        if not self.failed:
            self.failed = True
            raise Unreachable
        return await super().append(entries, durable=durable)


async def test_the_same_group_fifty_times_is_one_record() -> None:
    ledger, told = MemoryLedger(), Told()
    inbox = Inbox(ledger, tell=told)

    await asyncio.gather(*(inbox.receive([alert("a"), alert("b")], now=NOW) for _ in range(50)))

    assert len(await ledger.read(Wanted())) == 2
    assert len(told.episodes) == 2
    assert len(inbox.firing) == 2


async def test_what_was_known_is_known_again_after_a_restart() -> None:
    ledger = MemoryLedger()
    first = Inbox(ledger, tell=Told())
    await first.receive([alert("a"), alert("b"), alert("b", resolved=True)], now=NOW)

    second = Inbox(ledger, tell=Told())
    await second.load()

    assert second.firing == first.firing
    assert await second.receive([alert("a"), alert("b", resolved=True)], now=NOW) == ()


async def test_every_change_is_recorded_in_its_order() -> None:
    ledger = MemoryLedger()

    changed = await Inbox(ledger, tell=Told()).receive(
        [alert(), alert(resolved=True), alert()], now=NOW
    )

    assert [episode.state for episode in changed] == [
        EpisodeState.FIRING,
        EpisodeState.RESOLVED,
        EpisodeState.FIRING,
    ]
    assert len(await ledger.read(Wanted())) == 3


async def test_what_could_not_be_written_was_not_taken() -> None:
    told = Told()
    inbox = Inbox(FailingOnce(), tell=told)

    with pytest.raises(Unreachable):
        await inbox.receive([alert()], now=NOW)
    assert inbox.firing == ()

    assert len(await inbox.receive([alert()], now=NOW)) == 1
    assert [episode.alert for episode in told.episodes] == [alert()]


async def test_an_alert_without_times_is_kept_too() -> None:
    ledger = MemoryLedger()
    inbox = Inbox(ledger, tell=Told())
    await inbox.receive([replace(alert(), starts_at=None, caller=None)], now=NOW)

    again = Inbox(ledger, tell=Told())
    await again.load()

    assert again.firing == inbox.firing


async def test_what_was_missed_in_a_downtime_is_made_up_for() -> None:
    inbox = Inbox(MemoryLedger(), tell=Told())
    await inbox.receive([alert("ended"), alert("stays")], now=NOW)

    changed = await inbox.reconcile([alert("stays"), alert("began")], now=NOW)

    assert sorted((e.alert.fingerprint, e.state) for e in changed) == [
        ("began", EpisodeState.FIRING),
        ("ended", EpisodeState.RESOLVED),
    ]
    assert await inbox.reconcile([alert("stays"), alert("began")], now=NOW) == ()
