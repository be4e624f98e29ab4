"""Sessions on the ledger: a turn is one record, so it is there whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from opsmith.nouns.record import Entry, Record
from opsmith.nouns.session import Turn
from opsmith.seams.ledger import Ledger, Readable, Seen, Wanted

TURN = "turn"
# Sessions shown or searched at once.
MOST = 100_000
_TURN: TypeAdapter[Turn] = TypeAdapter(Turn)


def of_turn(turn: Turn) -> Entry:
    """The entry that keeps a turn; it is its session's newest state."""
    return Entry(
        kind=TURN,
        subject=turn.session,
        body=_TURN.dump_json(turn).decode(),
        at=turn.ended,
        principal=turn.principal,
        tenant=turn.tenant,
    )


def to_turn(record: Record) -> Turn:
    """The turn that `of_turn` wrote."""
    return _TURN.validate_json(record.entry.body)


class Session:
    """One conversation on a ledger. Open it with `open_session`."""

    def __init__(self, ledger: Ledger, name: str, last: Turn | None, seq: int) -> None:
        self._ledger = ledger
        self._seq = seq
        self.name = name
        self.last = last

    @property
    def next_number(self) -> int:
        """The number of the turn to come."""
        return self.last.number + 1 if self.last else 1

    async def keep(self, turn: Turn) -> None:
        """Put a turn on the ledger; it survives a power cut once this returns.

        Raises `Conflict` when the session went on elsewhere meanwhile.
        """
        seen = Seen(kind=TURN, subject=self.name, seq=self._seq)
        (record,) = await self._ledger.append([of_turn(turn)], durable=True, seen=(seen,))
        self._seq, self.last = record.seq, turn


async def open_session(ledger: Ledger, name: str) -> Session:
    """A session as its last turn left it; a name that is not known yet starts a new one."""
    found = await ledger.read(Wanted(kind=TURN, subject=name, latest=True, limit=1))
    if not found:
        return Session(ledger, name, None, 0)
    return Session(ledger, name, to_turn(found[0]), found[0].seq)


async def sessions(ledger: Ledger) -> tuple[Turn, ...]:
    """The last turn of every session, the newest first."""
    found = await ledger.read(Wanted(kind=TURN, latest=True, limit=MOST))
    return tuple(to_turn(record) for record in reversed(found))


async def turns(ledger: Readable, name: str = "") -> tuple[Turn, ...]:
    """All turns of a session (of every one without a name), oldest first."""
    return tuple(map(to_turn, await records(ledger, kind=TURN, subject=name)))


async def records(ledger: Readable, *, kind: str = "", subject: str = "") -> Sequence[Record]:
    """Every record that fits, oldest first."""
    return await ledger.read(Wanted(kind=kind, subject=subject, limit=MOST))
