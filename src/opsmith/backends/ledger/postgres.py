"""The ledger in PostgreSQL: one chain for several processes and machines, group commit."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TypeAlias, TypeVar

from opsmith.backends.ledger import sqlite
from opsmith.backends.ledger.group_commit import Answer, Ask, GroupCommit, chain
from opsmith.backends.ledger.postgres_line import (
    QUERIES,
    Line,
    Lost,
    address,
    connect,
    prepare,
    translated,
)
from opsmith.errors import HouseError, Unreachable
from opsmith.nouns.record import (
    Checkpoint,
    Entry,
    Record,
    Row,
    Verdict,
    check_rows,
    is_sealed,
    record_of,
    row_of,
)
from opsmith.seams.ledger import LedgerSize, Seen, Wanted

# How long a caller waits for an answer: the lock of another writer, and a new connection.
ANSWER_S = 30.0
# Connections that are kept for readers; more are opened when more read at once.
KEPT = 4
# Rows of one page while the whole chain is read.
PAGE = 2_000

T = TypeVar("T")
Stored: TypeAlias = tuple[int, int, bytes, bytes, bytes, bytes, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A group that was sent, until its commit is answered. number: that of its transaction."""

    number: int
    last: Record
    answers: Sequence[Answer]


class PostgresLedger:
    """Keeps every promise of `seams.ledger.Ledger` in the schema `opsmith` of a database.

    Nothing is connected before it is used, and what is lost is connected anew.
    Every transaction locks the row of the head before it reads it, so the chain stays one.
    url: postgresql://USER@HOST:PORT/DATABASE; password: empty for what PGPASSFILE says.
    Raises `BadInput` for a wrong address; every verb what `postgres_line.prepare` raises.
    """

    def __init__(self, url: str, *, password: str = "") -> None:
        self._where = address(url, password=password)
        self._writer: Line | None = None
        self._sent: _Sent | None = None
        self._prepared = False
        self._preparing = Lock()
        self._idle: queue.LifoQueue[Line] = queue.LifoQueue(KEPT)
        self._group = GroupCommit(self._write)

    def close(self) -> None:
        """Write what was asked, then let go of the connections."""
        self._group.close(within_s=ANSWER_S)
        if self._writer is not None:
            self._writer.close()
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    async def append(
        self, entries: Sequence[Entry], *, durable: bool, seen: Sequence[Seen] = ()
    ) -> tuple[Record, ...]:
        """Chain the entries in one transaction, possibly together with those of others."""
        return await _within(self._group.append(entries, durable=durable, seen=seen))

    async def read(self, wanted: Wanted) -> tuple[Record, ...]:
        """The wanted records by rising seq."""
        query = QUERIES["read_latest" if wanted.latest else "read_record"]
        given = {
            "after": wanted.after,
            "kind": wanted.kind.encode(),
            "subject": wanted.subject.encode(),
            "limit": wanted.limit if wanted.limit >= 0 else None,
        }

        def read(line: Line) -> tuple[Record, ...]:
            found = line.execute(query, given, binary=True).fetchall()
            return tuple(record_of(_read(row)) for row in found)

        return await _within(asyncio.to_thread(self._do, read))

    async def verify(self) -> Verdict:
        """Recompute the chain from the checkpoint to the promised head, as of one moment."""
        return await asyncio.to_thread(self._do, _verify)

    async def forget(self, *, before: datetime) -> int:
        """Drop records older than `before` behind a checkpoint; how many."""
        before_ms = Entry(kind="time", subject="", body="", at=before).at_ms

        def forget(line: Line) -> int:
            with line.transaction():
                line.execute(QUERIES["take_start"])
                found = line.execute(QUERIES["last_before"], (before_ms,), binary=True).fetchone()
                if found is None:
                    return 0
                line.execute(QUERIES["move_start"], found)
                return line.execute(QUERIES["drop_until"], found[:1]).rowcount

        return await asyncio.to_thread(self._do, forget)

    async def backup(self, target: Path) -> None:
        """Write the ledger of one moment as the SQLite file that `SqliteLedger` opens."""

        def copy(line: Line) -> None:
            with _moment(line), sqlite.copy_into(target) as copied:
                sqlite.fill(
                    copied,
                    states=_rows(line, "all_states"),
                    records=_rows(line, "all_records"),
                    marks=line.execute(QUERIES["marks"], binary=True),
                )

        await asyncio.to_thread(self._do, copy)

    async def size(self) -> LedgerSize:
        """What tables and indexes take; the write-ahead log is the server's own affair."""

        def size(line: Line) -> LedgerSize:
            records, used, free = line.execute(QUERIES["size"]).fetchone() or (0, 0, 0)
            return LedgerSize(records=records, file_bytes=used, log_bytes=0, free_bytes=free)

        return await _within(asyncio.to_thread(self._do, size))

    def _write(self, group: Sequence[Ask]) -> Sequence[Answer]:
        """Everything in one transaction; once more on a new connection when one was lost."""
        with translated():
            self._sent = None
            try:
                return self._attempt(group)
            except Lost:
                if self._writer is not None and not self._writer.closed:
                    raise
            return self._settled() or self._attempt(group)

    def _attempt(self, group: Sequence[Ask]) -> Sequence[Answer]:
        line = self._writing()
        durable = any(ask.durable for ask in group)
        with line.transaction():
            seq, previous, number = _head(line, sync="on" if durable else "off")
            places = _places(line, [one for ask in group for one in ask.seen])
            chained = chain(
                group, seq=seq, previous=previous, newest=lambda one: places.get(one, 0)
            )
            if chained.records:
                stored = [_stored(row_of(one)) for one in chained.records]
                line.execute(
                    QUERIES["insert_records"], [list(one) for one in zip(*stored, strict=True)]
                )
                self._sent = _Sent(
                    number=number, last=chained.records[-1], answers=chained.answers
                )
        return chained.answers

    def _settled(self) -> Sequence[Answer]:
        """The answers of a commit whose own was lost, when it was kept; waits for the server."""
        if (sent := self._sent) is None:
            return ()
        line = self._writing()
        asked = {"digest": sent.last.digest, "seq": sent.last.seq, "number": sent.number}
        with line.transaction():
            _head(line, sync="off")
            kept = line.execute(QUERIES["fate"], asked).fetchone() == (True,)
        return sent.answers if kept else ()

    def _writing(self) -> Line:
        if self._writer is None or self._writer.closed:
            self._writer = self._connected()
        return self._writer

    def _do(self, work: Callable[[Line], T]) -> T:
        """Do reading work; once more on a new connection when a kept one was lost meanwhile."""
        with translated():
            with suppress(queue.Empty):
                kept = self._idle.get_nowait()
                try:
                    return self._lent(kept, work)
                except Lost:
                    if not kept.closed:
                        raise
            return self._lent(self._connected(), work)

    def _lent(self, line: Line, work: Callable[[Line], T]) -> T:
        try:
            return work(line)
        finally:
            try:
                if not line.closed:
                    self._idle.put_nowait(line)
            except queue.Full:
                line.close()

    def _connected(self) -> Line:
        line = connect(self._where)
        try:
            with self._preparing:
                if not self._prepared:
                    prepare(line)
                    self._prepared = True
        except BaseException:
            line.close()
            raise
        return line


async def _within(answer: Awaitable[T]) -> T:
    try:
        return await asyncio.wait_for(answer, ANSWER_S)
    except TimeoutError as error:
        raise Unreachable(
            f"The ledger did not answer within {ANSWER_S:g} s; what was asked may still be kept.",
            hint="See whether its PostgreSQL is well.",
        ) from error


def _head(line: Line, *, sync: str) -> tuple[int, bytes, int]:
    row = line.execute(QUERIES["take_head"], {"sync": sync}, binary=True).fetchone()
    if row is None:
        raise HouseError("The ledger is damaged: its head is gone.", hint="Restore a backup.")
    return row[0], row[1], row[2]


def _places(line: Line, seen: Sequence[Seen]) -> dict[Seen, int]:
    """The places of the newest states of what was seen, of those that have one."""
    if not seen:
        return {}
    asked = {
        "kinds": [one.kind.encode() for one in seen],
        "subjects": [one.subject.encode() for one in seen],
    }
    return {seen[n - 1]: seq for n, seq in line.execute(QUERIES["seen"], asked)}


def _verify(line: Line) -> Verdict:
    with _moment(line):
        marks = {row[0]: row for row in line.execute(QUERIES["marks"], binary=True)}
        _, seq, digest, signature = marks["start"]
        start = Checkpoint(seq=seq, digest=digest, signature=signature)
        verdict = check_rows(_rows(line, "all_records"), after=start)
        last = line.execute(QUERIES["last"], binary=True).fetchone() or (seq, digest)
        states = map(record_of, _rows(line, "all_states"))
        forged = next((state.seq for state in states if not is_sealed(state)), None)
    if verdict.whole and last != marks["head"][1:3]:
        return replace(verdict, broken_at=min(last[0], marks["head"][1]) + 1)
    if verdict.whole and forged is not None:
        return replace(verdict, broken_at=forged)
    return verdict


@contextmanager
def _moment(line: Line) -> Iterator[None]:
    """All that is read inside is of one moment."""
    with line.transaction():
        line.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _rows(line: Line, query: str) -> Iterator[Row]:
    """All rows of a statement, a page at a time."""
    with line.cursor(query, binary=True) as cursor:
        cursor.itersize = PAGE
        yield from map(_read, cursor.execute(QUERIES[query]))


def _read(row: Stored) -> Row:
    """A row as the chain counts it; bytes that are no UTF-8 become a text that fits no seal."""
    seq, at_ms, kind, subject, principal, tenant, body, previous, digest = row
    k, s, p, t, b = (
        one.decode(errors="replace") for one in (kind, subject, principal, tenant, body)
    )
    return seq, at_ms, k, s, p, t, b, previous, digest


def _stored(row: Row) -> Stored:
    seq, at_ms, kind, subject, principal, tenant, body, previous, digest = row
    k, s, p, t, b = (one.encode() for one in (kind, subject, principal, tenant, body))
    return seq, at_ms, k, s, p, t, b, previous, digest
