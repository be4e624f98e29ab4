"""The ledger in one SQLite file: write-ahead log, one writer thread, group commit."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from opsmith.backends.ledger.group_commit import Answer, Ask, GroupCommit, chain
from opsmith.backends.ledger.named import scripts, statements
from opsmith.errors import AskError, HouseError, Unreachable
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

# How long a writer waits for another process; SQLite's own advice is a few seconds.
BUSY_S = 5.0
# Readers at once in this process. They share its interpreter with the writer, so that more of
# them read no more records a second and only make each append wait for all of them.
READERS = 2
QUERIES = statements("sqlite.sql")


class SqliteLedger:
    """Keeps every promise of `seams.ledger.Ledger` in the file `path`.

    Several processes may hold the same file: each transaction takes the write lock first and
    reads the head behind it, so the chain stays one.
    Raises `AskError` when the file was written by a newer opsmith.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="ledger-reader")
        self._synchronous = ""
        with _translated():
            self._writer = _connect(path)
            path.chmod(0o600)  # the ledger quotes alerts and names; it is its owner's
            _migrate(self._writer)
        self._group = GroupCommit(self._write)

    def close(self) -> None:
        """Write what was asked, then let go of the file."""
        self._group.close()
        self._reading.shutdown()
        for connection in (*self._readers, self._writer):
            connection.close()

    async def append(
        self, entries: Sequence[Entry], *, durable: bool, seen: Sequence[Seen] = ()
    ) -> tuple[Record, ...]:
        """Chain the entries in one transaction, possibly together with those of others."""
        return await self._group.append(entries, durable=durable, seen=seen)

    async def read(self, wanted: Wanted) -> tuple[Record, ...]:
        """The wanted records by rising seq."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, wanted)

    async def verify(self) -> Verdict:
        """Recompute the chain from the checkpoint to the promised head."""
        return await asyncio.to_thread(self._verify)

    async def forget(self, *, before: datetime) -> int:
        """Drop records older than `before` behind a checkpoint; how many."""
        return await asyncio.to_thread(self._forget, before)

    async def backup(self, target: Path) -> None:
        """Copy the ledger while it is in use; `target` appears whole."""
        await asyncio.to_thread(self._backup, target)

    async def size(self) -> LedgerSize:
        """What it takes on disk."""
        return await asyncio.to_thread(self._size)

    def _write(self, group: Sequence[Ask]) -> Sequence[Answer]:
        durable = any(ask.durable for ask in group)
        with _translated():
            self._sync("FULL" if durable else "NORMAL")
            return _write(self._writer, group)

    def _sync(self, level: str) -> None:
        """Say how sure a commit must be, where that is another than for the last one."""
        if level != self._synchronous:
            self._writer.execute(f"PRAGMA synchronous = {level}")
            self._synchronous = level

    def _read(self, wanted: Wanted) -> tuple[Record, ...]:
        query = QUERIES["read_latest" if wanted.latest else "read_record"]
        given = {
            "after": wanted.after,
            "kind": wanted.kind,
            "subject": wanted.subject,
            "limit": wanted.limit,
        }
        with _translated():
            return tuple(map(record_of, self._reader().execute(query, given).fetchall()))

    def _reader(self) -> sqlite3.Connection:
        """The connection of this thread, kept: to open one costs more than most reads."""
        if not hasattr(self._local, "reader"):
            self._local.reader = _connect(self._path)
            self._readers.append(self._local.reader)
        reader: sqlite3.Connection = self._local.reader
        return reader

    def _verify(self) -> Verdict:
        with _translated(), contextlib.closing(_connect(self._path)) as reader:
            reader.execute("BEGIN")
            seq, digest, signature = reader.execute(QUERIES["start"]).fetchone()
            start = Checkpoint(seq=seq, digest=digest, signature=signature)
            head_seq, head_digest = reader.execute(QUERIES["head"]).fetchone()
            everything = {"after": seq, "kind": "", "subject": "", "limit": -1}
            verdict = check_rows(reader.execute(QUERIES["read_record"], everything), after=start)
            last = reader.execute(QUERIES["last"]).fetchone() or (seq, digest)
            states = map(
                record_of, reader.execute(QUERIES["read_latest"], everything | {"after": 0})
            )
            forged = next((state.seq for state in states if not is_sealed(state)), None)
        if verdict.whole and last != (head_seq, head_digest):
            return replace(verdict, broken_at=min(last[0], head_seq) + 1)
        if verdict.whole and forged is not None:
            return replace(verdict, broken_at=forged)
        return verdict

    def _forget(self, before: datetime) -> int:
        before_ms = Entry(kind="time", subject="", body="", at=before).at_ms
        with _translated(), contextlib.closing(_connect(self._path)) as writer, _locked(writer):
            found = writer.execute(QUERIES["last_before"], (before_ms,)).fetchone()
            if found is None:
                return 0
            writer.execute(QUERIES["move_start"], found)
            return writer.execute(QUERIES["drop_until"], found[:1]).rowcount

    def _backup(self, target: Path) -> None:
        part = target.with_name(f"{target.name}.part")
        with _translated():
            part.unlink(missing_ok=True)
            with (
                contextlib.closing(_connect(self._path)) as reader,
                contextlib.closing(sqlite3.connect(part)) as copy,
            ):
                part.chmod(0o600)
                reader.backup(copy)
            part.replace(target)

    def _size(self) -> LedgerSize:
        with _translated(), contextlib.closing(_connect(self._path)) as reader:
            (records,) = reader.execute("SELECT count(*) FROM record").fetchone()
            (free_pages,) = reader.execute("PRAGMA freelist_count").fetchone()
            (page_bytes,) = reader.execute("PRAGMA page_size").fetchone()
        log = self._path.with_name(f"{self._path.name}-wal")
        return LedgerSize(
            records=records,
            file_bytes=self._path.stat().st_size,
            log_bytes=log.stat().st_size if log.exists() else 0,
            free_bytes=free_pages * page_bytes,
        )


@contextlib.contextmanager
def copy_into(target: Path) -> Iterator[sqlite3.Connection]:
    """An empty ledger to be filled with the rows of another; `target` appears whole or not.

    Raises `Unreachable` when it cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        with _translated():
            part.unlink(missing_ok=True)
            with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
                part.chmod(0o600)
                _migrate(copy)
                with _locked(copy):
                    yield copy
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def fill(
    copy: sqlite3.Connection,
    *,
    states: Iterable[Row],
    records: Iterable[Row],
    marks: Iterable[tuple[str, int, bytes, bytes]],
) -> None:
    """Write the rows of another ledger. marks: name, place, digest, signature."""
    copy.executemany(QUERIES["insert_state"], states)
    copy.executemany(QUERIES["insert_record"], records)
    copy.executemany(QUERIES["insert_mark"], marks)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply the numbered scripts that the file has not seen, each with its number at once."""
    known = scripts("migrations_sqlite")
    (done,) = connection.execute("PRAGMA user_version").fetchone()
    if done > len(known):
        raise AskError(
            f"The ledger was written by a newer opsmith (version {done}; this one knows"
            f" {len(known)}).",
            hint="Upgrade opsmith, or name another data folder.",
        )
    for number, text in enumerate(known, start=1):
        if number > done:
            _apply(connection, number, text)


def _apply(connection: sqlite3.Connection, number: int, text: str) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {text}; PRAGMA user_version={number}; COMMIT")
    except sqlite3.OperationalError:
        if connection.in_transaction:
            connection.rollback()
        # Another process that starts now was first: then its number stands already.
        (done,) = connection.execute("PRAGMA user_version").fetchone()
        if done < number:
            raise


def _write(connection: sqlite3.Connection, group: Sequence[Ask]) -> Sequence[Answer]:
    """Everything in one transaction."""

    def newest(seen: Seen) -> int:
        row = connection.execute(QUERIES["latest_seq"], (seen.kind, seen.subject)).fetchone()
        return row[0] if row else 0

    with _locked(connection):
        seq, previous = connection.execute(QUERIES["head"]).fetchone()
        chained = chain(group, seq=seq, previous=previous, newest=newest)
        connection.executemany(QUERIES["insert_record"], map(row_of, chained.records))
    return chained.answers


@contextlib.contextmanager
def _locked(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock; commit at the end, or leave no trace."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what SQLite and the disk raise into our own errors."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise Unreachable(
            f"The ledger cannot be used: {error}.",
            hint="See whether the disk is full and the data folder is yours.",
        ) from error
    except sqlite3.Error as error:
        raise HouseError(f"The ledger is damaged: {error}.", hint="Restore a backup.") from error
