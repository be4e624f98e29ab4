"""The graph in one file of the data folder: an embedded Cypher database.

The database takes one writer process, and a reader that opens while another process folds its
log into the file may see half of it. So every use is under a lock of ours: one that writes
alone, or many that read. A writer opens, writes and closes; a reader stays open until the file
is no longer the one it opened.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import ladybug

from opsmith.backends.graph.embedded_read import around, count, everything, table
from opsmith.backends.graph.embedded_write import forget, write
from opsmith.backends.graph.file_lock import locked
from opsmith.backends.graph.schema import table_statements
from opsmith.backends.graph.statements import only_reads
from opsmith.errors import HouseError, Unreachable
from opsmith.nouns.graph import Subgraph, Table, timestamp
from opsmith.seams.graph import Around

# Pages in memory at most; a slice out of half a million links needs about half of it.
POOL_BYTES = 256 * 1024 * 1024

T = TypeVar("T")


class EmbeddedGraph:
    """Keeps every promise of `seams.graph.CypherGraph` in the file `path`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._turn = threading.Lock()
        self._reader: ladybug.Database | None = None
        # keeps the statements that it has planned: planning costs as much as answering
        self._connection: ladybug.Connection | None = None
        self._opened: tuple[object, ...] = ()

    async def aclose(self) -> None:
        """Let go of the file."""
        await asyncio.to_thread(self._close)

    async def write(self, part: Subgraph) -> None:
        """Add or renew nodes and links in one transaction."""
        await asyncio.to_thread(self._writing, lambda c: write(c, part, self._path.parent))

    async def read(self, wanted: Around) -> Subgraph:
        """The nodes around one, or everything."""
        read = around if wanted.start else everything
        return await asyncio.to_thread(self._reading, lambda c: read(c, wanted))

    async def forget(self, *, before: datetime) -> int:
        """Drop what was not heard of since."""
        return await asyncio.to_thread(self._writing, lambda c: forget(c, timestamp(before)))

    async def count(self) -> tuple[int, int]:
        """Nodes and links."""
        return await asyncio.to_thread(self._reading, count)

    async def query(self, cypher: str, *, most: int, within: timedelta) -> Table:
        """Ask an operator's question on a connection that cannot write."""
        asked = only_reads(cypher)

        def ask(connection: ladybug.Connection) -> Table:
            connection.set_query_timeout(max(int(within.total_seconds() * 1000), 1))
            try:
                return table(connection, asked, most)
            finally:
                connection.set_query_timeout(0)

        return await asyncio.to_thread(self._reading, ask)

    def _writing(self, act: Callable[[ladybug.Connection], T]) -> T:
        with self._turn, locked(self._lock_path, alone=True), _translated():
            self._forget_reader()
            return self._with_writer(act)

    def _with_writer(self, act: Callable[[ladybug.Connection], T]) -> T:
        with (
            ladybug.Database(str(self._path), buffer_pool_size=POOL_BYTES) as database,
            ladybug.Connection(database, num_threads=1) as connection,
        ):
            self._path.chmod(0o600)  # it quotes alerts and log lines; it is its owner's
            for statement in table_statements():
                connection.execute(statement)
            connection.execute("BEGIN TRANSACTION")
            try:
                done = act(connection)
                connection.execute("COMMIT")
            except BaseException:
                with suppress(RuntimeError):  # the database has taken it back itself
                    connection.execute("ROLLBACK")
                raise
            return done

    def _reading(self, act: Callable[[ladybug.Connection], T]) -> T:
        with self._turn:
            if not self._path.exists():
                self._make()
            with locked(self._lock_path, alone=False), _translated():
                if (connection := self._open_reader()) is not None:
                    return act(connection)
            # Whoever wrote last was killed while folding its log: opening to write mends that.
            self._make()
            with locked(self._lock_path, alone=False), _translated():
                if (connection := self._open_reader()) is None:
                    raise Unreachable("The graph is being mended by another process.")
                return act(connection)

    def _make(self) -> None:
        with locked(self._lock_path, alone=True), _translated():
            self._forget_reader()
            self._with_writer(lambda _: None)

    def _open_reader(self) -> ladybug.Connection | None:
        """A connection that reads the file as it is now; None when a writer left work undone."""
        now = self._signature()
        if self._connection is None or now != self._opened:
            self._forget_reader()
            try:
                self._reader = ladybug.Database(
                    str(self._path), read_only=True, buffer_pool_size=POOL_BYTES
                )
            except RuntimeError as error:
                if "recovery is pending" in str(error):
                    return None
                raise
            self._connection = ladybug.Connection(self._reader, num_threads=1)
            self._opened = now
        return self._connection

    def _signature(self) -> tuple[object, ...]:
        found: list[object] = []
        for path in (self._path, self._path.with_name(f"{self._path.name}.wal")):
            if path.exists():
                told = path.stat()
                found += [told.st_ino, told.st_size, told.st_mtime_ns]
        return tuple(found)

    def _forget_reader(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _close(self) -> None:
        with self._turn:
            self._forget_reader()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the database and the disk raise into our own errors."""
    try:
        yield
    except OSError as error:
        raise Unreachable(f"The graph cannot be used: {error}.") from error
    except RuntimeError as error:
        what = " ".join(str(error).split())[:300]
        if "lock" in what or "IO exception" in what:
            raise Unreachable(f"The graph cannot be used: {what}") from error
        raise HouseError(
            f"The graph is damaged: {what}",
            hint="Move it away; it is made anew, and `opsmith graph load` fills it.",
        ) from error
