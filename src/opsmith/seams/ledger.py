"""The ledger seam: everything said and done, in order, sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from opsmith.nouns.record import Entry, Record, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records to read; an empty field asks for all.

    after: only records with a greater seq. latest: of each subject only the newest state,
    which outlives retention.
    """

    kind: str = ""
    subject: str = ""
    after: int = 0
    latest: bool = False
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSize:
    """What the ledger takes on disk, all of it: main file, write-ahead log, free pages inside."""

    records: int
    file_bytes: int
    log_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a writer believes to be the newest state of a subject; seq 0: it has none yet."""

    kind: str
    subject: str
    seq: int


class Readable(Protocol):
    """Records to be read: a whole ledger, or what of it one principal sees."""

    async def read(self, wanted: Wanted) -> tuple[Record, ...]:
        """The wanted records by rising seq."""


class Ledger(Readable, Protocol):
    """Keeps records in one hash chain, from the first on.

    Readers never wait for a writer. Entries given in one call are all kept or none is.
    Raises `Unreachable` when the store cannot be written or read (locked, full, gone),
    `HouseError` when it is damaged.
    """

    async def append(
        self, entries: Sequence[Entry], *, durable: bool, seen: Sequence[Seen] = ()
    ) -> tuple[Record, ...]:
        """Chain the entries, in order. With `durable` they survive a power cut on return.

        Raises `Conflict`, and keeps nothing, when a subject of `seen` has another newest state:
        of several writers that saw the same, one goes on.
        """

    async def verify(self) -> Verdict:
        """Recompute the whole chain, down to the head that was promised."""

    async def forget(self, *, before: datetime) -> int:
        """Drop records older than `before` behind a checkpoint; how many. States stay."""

    async def backup(self, target: Path) -> None:
        """Write a whole, consistent copy; `target` appears at once or not at all."""

    async def size(self) -> LedgerSize:
        """What it truly takes."""
