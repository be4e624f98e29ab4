"""Changes that may still matter."""

from datetime import UTC, datetime, timedelta

import pytest

from opsmith.audit.states import of_change
from opsmith.flows import recent_changes
from opsmith.flows.recent_changes import RecentChanges
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import Change, ChangeKind
from opsmith.testing.ledger import MemoryLedger

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def change(number: int, at: datetime) -> Change:
    return Change(
        at=at,
        entity=Entity.service("cart"),
        kind=ChangeKind.DEPLOY,
        summary=f"no {number}",
        version=None,
    )


async def test_of_many_changes_the_newest_are_given_and_old_ones_let_go_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent_changes, "PAGE", 10)
    ledger = MemoryLedger()
    recent = RecentChanges(ledger, keep_for=timedelta(hours=1))
    old = [of_change(change(n, NOW - timedelta(days=1)), at=NOW) for n in range(35)]
    await ledger.append(old, durable=False)
    await ledger.append([of_change(change(99, NOW), at=NOW)], durable=False)

    assert [one.summary for one in await recent.at(NOW)] == ["no 99"]

    later = NOW + timedelta(minutes=50)
    await ledger.append([of_change(change(100, later), at=later)], durable=False)

    assert [one.summary for one in await recent.at(later)] == ["no 99", "no 100"]
    assert [one.summary for one in await recent.at(later + timedelta(minutes=30))] == ["no 100"]
