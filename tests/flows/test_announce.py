import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from opsmith.errors import BadAnswer, Unreachable
from opsmith.flows.announce import APART_S, RETRIES, Announcer
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.incident import Blame, Incident, IncidentState, Member, Verdict
from opsmith.seams.notify import Notice
from opsmith.testing.ledger import MemoryLedger

START = datetime(2026, 1, 1, tzinfo=UTC)
CART = Entity.service("cart")
OPEN = Incident(
    id="i1",
    state=IncidentState.OPEN,
    title="Slow on cart",
    opened_at=START,
    updated_at=START,
    members=(
        Member(
            fingerprint="f",
            name="Slow",
            entity=CART,
            severity="critical",
            firing=True,
            joined_at=START,
        ),
    ),
)
FOUND = Verdict(
    status=Status.DIAGNOSED,
    blame=Blame(entity=CART, kind=CauseKind.DISK_FULL),
    confidence=0.9,
    path=(Entity.service("db"), CART),
    sentence="the disk is full",
    found_at=START,
)
SEEN = replace(OPEN, verdict=FOUND, similar=("i0",))


class World:
    def __init__(self) -> None:
        self.now = START
        self.sent: list[tuple[Notice, str]] = []
        self.failures: list[Exception] = []

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    async def send(self, notice: Notice, *, handle: str) -> str:
        if self.failures:
            raise self.failures.pop()
        self.sent.append((notice, handle))
        return "h"

    def announcer(self, ledger: MemoryLedger) -> Announcer:
        return Announcer(
            {"chat": self},
            ledger=ledger,
            link=lambda incident: f"http://x/{incident.id}",
            clock=self.clock,
            sleep=self.sleep,
            rng=Random(1),
        )


async def settle() -> None:
    for _ in range(60):
        await asyncio.sleep(0)


async def test_one_message_with_its_cause_then_only_what_changed() -> None:
    world = World()
    announcer = world.announcer(MemoryLedger())

    await announcer.tell(OPEN)
    await announcer.tell(SEEN)
    await settle()
    await announcer.tell(replace(SEEN, verdict=replace(FOUND, confidence=0.95)))
    await settle()
    await announcer.tell(replace(SEEN, state=IncidentState.MITIGATED))
    await settle()

    assert [(n.state, n.revision, handle) for n, handle in world.sent] == [
        ("open", 1, ""),
        ("mitigated", 2, "h"),
    ]
    first = world.sent[0][0]
    assert first.lines[0] == "the disk is full"
    assert "path: service:db -> service:cart" in first.lines
    assert world.sent[1][0].at - first.at >= timedelta(seconds=APART_S)


async def test_without_a_verdict_it_speaks_up_after_a_while() -> None:
    world = World()

    await world.announcer(MemoryLedger()).tell(OPEN)
    await settle()

    assert world.sent[0][0].lines[0] == "The cause is being looked for."


async def test_a_place_that_is_down_is_tried_again() -> None:
    world = World()
    world.failures = [Unreachable(), Unreachable()]

    await world.announcer(MemoryLedger()).tell(SEEN)
    await settle()

    assert len(world.sent) == 1


async def test_a_place_that_stays_down_or_refuses_is_counted() -> None:
    for failures in ([Unreachable()] * RETRIES, [BadAnswer()]):
        world = World()
        world.failures = list(failures)
        announcer = world.announcer(MemoryLedger())

        await announcer.tell(SEEN)
        await settle()

        assert announcer.lost == 1
        assert world.sent == []


async def test_a_restart_repeats_nothing_and_keeps_the_place_of_the_message() -> None:
    world, ledger = World(), MemoryLedger()
    await world.announcer(ledger).tell(SEEN)
    await settle()

    again = world.announcer(ledger)
    await again.load()
    await again.tell(SEEN)
    await settle()
    await again.tell(replace(SEEN, confirmed=FOUND.blame, state=IncidentState.CONFIRMED))
    await settle()

    assert [(n.revision, handle) for n, handle in world.sent] == [(1, ""), (2, "h")]
    assert "confirmed: service:cart disk.full" in world.sent[1][0].lines
    await again.close()


async def test_an_incident_that_was_merged_before_anyone_heard_is_not_told() -> None:
    world = World()

    await world.announcer(MemoryLedger()).tell(replace(SEEN, state=IncidentState.MERGED))
    await settle()

    assert world.sent == []
