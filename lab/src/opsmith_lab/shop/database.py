"""database: a bounded pool of PostgreSQL connections, half of it held by subscriptions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import asyncpg
from opentelemetry import trace
from opentelemetry.trace import Span

from opsmith_lab.shop.errors import Unavailable
from opsmith_lab.shop.meters import Meters, PoolMeters
from opsmith_lab.shop.spans import client_span

BORROW_TIMEOUT_S = 1.5
STATEMENT_TIMEOUT_S = 4.0
# After a subscription was lost, and when it could not be had.
SUBSCRIBE_AGAIN_S = 1.0
# What asyncpg raises when a connection is refused, lost or closed under a statement.
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Database:
    """A bounded pool of PostgreSQL connections.

    forgets: asked after each use; a connection that is forgotten is never given back.
    """

    def __init__(self, tracer: trace.Tracer, meters: Meters, pool: asyncpg.Pool) -> None:
        self._tracer = tracer
        self._meters = meters
        self._pool = pool
        self._state = PoolMeters(meters)
        self._state.most.set(pool.get_max_size())
        self._state.used.set_function(lambda: pool.get_size() - pool.get_idle_size())
        self._state.idle.set_function(pool.get_idle_size)
        self.forgets: Callable[[], bool] | None = None
        self.forgotten: list[asyncpg.pool.PoolConnectionProxy] = []

    async def run(self, sql: str, *values: object) -> list[dict[str, object]]:
        """Run one statement in a pooled connection. Raises `Unavailable` when none is free."""
        operation, table = sql.split(maxsplit=1)[0], _table(sql)
        tags = {
            "db.system.name": "postgresql",
            "db.operation.name": operation,
            "db.collection.name": table,
            "db.query.text": sql,
            "server.address": "postgres",
        }
        with client_span(self._tracer, f"{operation} {table}", tags) as span:
            started = time.perf_counter()
            connection = await self._borrow(span)
            try:
                rows = await connection.fetch(sql, *values, timeout=STATEMENT_TIMEOUT_S)
            except LOST as error:
                raise Unavailable(f"postgres did not answer: {type(error).__name__}") from error
            finally:
                await self._give_back(connection)
            self._meters.store_calls.labels("postgres", operation).observe(
                time.perf_counter() - started
            )
            return [dict(row) for row in rows]

    async def _borrow(self, span: Span) -> asyncpg.pool.PoolConnectionProxy:
        pool = self._pool
        if pool.get_idle_size() == 0 and pool.get_size() >= pool.get_max_size():
            span.set_attribute("db.pool.exhausted", value=True)
        self._state.waiting.inc()
        try:
            return await pool.acquire(timeout=BORROW_TIMEOUT_S)
        except TimeoutError as error:
            self._state.timeouts.inc()
            raise Unavailable("no free database connection within 1.5 s") from error
        except LOST as error:
            raise Unavailable(f"postgres refuses connections: {type(error).__name__}") from error
        finally:
            self._state.waiting.dec()

    async def _give_back(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        if self.forgets is not None and self.forgets():
            self.forgotten.append(connection)
            return
        with suppress(*LOST):
            await self._pool.release(connection)

    async def subscribe(self, shard: int) -> None:
        """Listen for changed products, one connection a shard, for as long as the process lives.

        A subscription keeps its connection out of the pool; a lost one is made again.
        """
        while True:
            with suppress(*LOST):
                connection = await self._pool.acquire()
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                try:
                    await connection.execute(f"LISTEN products_{shard:d}")
                    await lost.wait()
                finally:
                    await self._pool.release(connection)
            await asyncio.sleep(SUBSCRIBE_AGAIN_S)

    async def take_back(self) -> None:
        """Return every forgotten connection, as a restart would."""
        while self.forgotten:
            await self._pool.release(self.forgotten.pop())


def _table(sql: str) -> str:
    words = sql.replace(",", " ").split()
    for word in ("FROM", "INTO", "UPDATE"):
        if word in words:
            return words[words.index(word) + 1].split("(")[0]
    return "shop"
