"""One notice an outage, one when it is over, whoever looks and whatever is started again."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from opsmith.audit.states import CHECKED
from opsmith.errors import BadAnswer, Unreachable
from opsmith.execute.action import Finding
from opsmith.flows.outages import Teller, healths, heed
from opsmith.nouns.health import SAID_EVERY, Health
from opsmith.seams.ledger import Wanted
from opsmith.seams.notify import Notice
from opsmith.testing.ledger import MemoryLedger

NAME = "service:cart health"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Place:
    """Remembers what it was told; fails as often as it is told to."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.failures: list[Exception] = []

    async def send(self, notice: Notice, *, handle: str) -> str:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop()
        self.told.append((notice.state, notice.incident, handle))
        return f"handle {notice.incident}"

    @property
    def states(self) -> list[str]:
        return [state for state, _, _ in self.told]


class Street:
    """One check with its ledger and place; `seen` is one look."""

    def __init__(self) -> None:
        self.ledger, self.place = MemoryLedger(), Place()
        self.now = NOON
        self._names = iter(f"mark-{n}" for n in range(1000))

    def teller(self) -> Teller:
        return Teller(
            ledger=self.ledger,
            places={"ops": self.place},
            clock=lambda: self.now,
            fresh_name=lambda: next(self._names),
        )

    async def seen(self, looks: str) -> Health:
        """`+` is a look at which all was well, `-` another."""
        for each in looks:
            self.now += timedelta(seconds=10)
            holds = each == "+"
            finding = Finding(holds=holds, says="answers 200" if holds else "answers 503")
            health = await heed(NAME, finding, failures=3, teller=self.teller())
        return health


async def test_an_outage_is_told_once_and_its_end_once() -> None:
    street = Street()

    health = await street.seen("+-----")
    after = await street.seen("+++")

    assert health.state == "down"
    assert after.state == "well"
    assert street.place.states == ["open", "resolved"]
    (_, outage, _), (_, same, handle) = street.place.told
    assert (same, handle) == (outage, f"handle {outage}")


async def test_failures_that_are_not_in_a_row_are_no_outage() -> None:
    street = Street()

    await street.seen("--+--+")

    assert street.place.told == []


async def test_while_nothing_changes_one_record_an_hour_says_that_somebody_looks() -> None:
    street = Street()

    await street.seen("+++")
    assert len(await street.ledger.read(Wanted())) == 1
    await street.seen("---")
    before = len(await street.ledger.read(Wanted()))
    await street.seen("---")
    assert len(await street.ledger.read(Wanted())) == before
    street.now += SAID_EVERY
    assert (await street.seen("-")).looked == street.now

    assert len(await street.ledger.read(Wanted())) == before + 1
    assert street.place.states == ["open"]


async def test_the_next_outage_is_another_one() -> None:
    street = Street()

    await street.seen("---+---+")

    assert street.place.states == ["open", "resolved", "open", "resolved"]
    assert len({outage for _, outage, _ in street.place.told}) == 2


async def test_a_place_that_does_not_answer_is_told_after_the_next_look() -> None:
    street = Street()
    street.place.failures = [Unreachable("away")]

    await street.seen("---")
    assert street.place.told == []
    await street.seen("-+")

    assert street.place.states == ["open", "resolved"]


async def test_an_outage_that_ended_before_anybody_could_be_told_is_not_told() -> None:
    street = Street()
    street.place.failures = [Unreachable("away")]

    await street.seen("---+")

    assert street.place.told == []


async def test_an_end_that_could_not_be_told_is_told_before_the_next_beginning() -> None:
    street = Street()
    await street.seen("---")
    street.place.failures = [Unreachable("away")] * 4

    await street.seen("+----")

    assert street.place.states == ["open", "resolved", "open"]


async def test_a_place_that_refuses_is_not_asked_again_and_again() -> None:
    street = Street()
    street.place.failures = [BadAnswer("no such channel")]

    await street.seen("-----")

    assert street.place.told == []


async def test_two_that_look_at_once_count_together_and_tell_once() -> None:
    street = Street()

    await asyncio.gather(*(street.seen("-") for _ in range(6)))
    await street.seen("-")

    assert street.place.states == ["open"]
    (health,) = await healths(street.ledger)
    assert health.failures == 3


async def test_when_the_ledger_does_not_answer_nobody_is_told() -> None:
    street = Street()
    await street.seen("--")

    async def full(*_: object, **__: object) -> tuple[()]:
        raise Unreachable("full")

    street.ledger.append = full  # type: ignore[method-assign]

    with pytest.raises(Unreachable):
        await street.seen("-")
    assert street.place.told == []
    assert len(await street.ledger.read(Wanted(kind=CHECKED))) == 2
