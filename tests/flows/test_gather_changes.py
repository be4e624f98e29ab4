"""gather_changes: each change on the ledger once, also over a restart."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from opsmith.audit.states import CHANGE, of_change, to_change
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.flows.gather_changes import Gatherer
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import Change, ChangeKind
from opsmith.seams.ledger import Wanted

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def change(hours: float, name: str = "cart") -> Change:
    return Change(
        at=NOW - timedelta(hours=hours),
        entity=Entity.service(name),
        kind=ChangeKind.DEPLOY,
        summary="x",
    )


class ListedChanges:
    def __init__(self, *changes: Change) -> None:
        self.changes = list(changes)

    async def since(self, start: datetime) -> tuple[Change, ...]:
        return tuple(one for one in self.changes if one.at >= start)


async def test_a_change_is_written_once_whoever_told_it(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.append([of_change(change(2), at=NOW)], durable=True)
    source = ListedChanges(change(1), change(1), change(2), change(30), change(-1))

    for _ in range(2):
        gatherer = Gatherer("git", source, ledger=ledger, clock=lambda: NOW)
        await gatherer.step()
        source.changes.append(change(3, "late"))
        await gatherer.step()

    records = await ledger.read(Wanted(kind=CHANGE))
    assert [to_change(record) for record in records] == [change(2), change(1), change(3, "late")]
    assert [record.entry.principal for record in records] == ["webhook", "git", "git"]
    ledger.close()
