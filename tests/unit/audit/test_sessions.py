"""Sessions: a turn is one record, and of two who go on with a session one is told."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opsmith.audit.sessions import open_session, sessions, turns
from opsmith.errors import BadInput, Conflict
from opsmith.nouns.session import Turn, TurnStatus
from opsmith.seams.ledger import Wanted
from opsmith.testing.ledger import MemoryLedger

BEGAN = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)


def turn(number: int = 1, session: str = "s-1") -> Turn:
    return Turn(
        session=session,
        number=number,
        command="is cart healthy?",
        status=TurnStatus.SUCCESS,
        began=BEGAN,
        ended=BEGAN + timedelta(milliseconds=42),
        principal="ann",
        tenant="shop",
    )


async def test_a_turn_is_one_record_with_its_principal_tenant_and_milliseconds() -> None:
    ledger = MemoryLedger()
    session = await open_session(ledger, "s-1")

    await session.keep(turn())

    (record,) = await ledger.read(Wanted())
    assert (record.entry.principal, record.entry.tenant) == ("ann", "shop")
    assert record.entry.at_ms % 1000 == 165
    assert json.loads(record.entry.body)["status"] == "success"
    assert await turns(ledger, "s-1") == (turn(),)


async def test_a_session_goes_on_where_it_was_left() -> None:
    ledger = MemoryLedger()
    await (await open_session(ledger, "s-1")).keep(turn())

    again = await open_session(ledger, "s-1")

    assert again.next_number == 2
    await again.keep(turn(2))
    await (await open_session(ledger, "s-2")).keep(turn(1, "s-2"))
    assert [(one.session, one.number) for one in await sessions(ledger)] == [
        ("s-2", 1),
        ("s-1", 2),
    ]


async def test_of_two_who_go_on_at_once_one_is_told_and_keeps_nothing() -> None:
    ledger = MemoryLedger()
    await (await open_session(ledger, "s-1")).keep(turn())
    one, other = await open_session(ledger, "s-1"), await open_session(ledger, "s-1")

    await one.keep(turn(2))
    with pytest.raises(Conflict):
        await other.keep(replace(turn(2), command="another"))

    assert len(await turns(ledger, "s-1")) == 2


def test_a_turn_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput):
        turn(0)
    with pytest.raises(BadInput):
        replace(turn(), command="x" * 5000)
