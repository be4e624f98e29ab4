"""One running service: its ways out (database, cache, queue, other services) and its faults."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import httpx
import redis.asyncio as valkey
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind

from opsmith_lab.layout import Lab, Spec
from opsmith_lab.shop.meters import CacheMeters, Meters, PoolMeters

CALL_TIMEOUT_S = 4.0
BORROW_TIMEOUT_S = 1.5


class Unavailable(Exception):
    """Something this request needs did not answer or is used up."""


class Failed(Exception):
    """A called service answered with an error."""


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
        with _client_span(self._tracer, f"{operation} {table}", tags) as span:
            started = time.perf_counter()
            connection = await self._borrow(span)
            try:
                rows = await connection.fetch(sql, *values, timeout=CALL_TIMEOUT_S)
            except (TimeoutError, OSError, asyncpg.PostgresError) as error:
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
        except (OSError, asyncpg.PostgresError) as error:
            raise Unavailable(f"postgres refuses connections: {type(error).__name__}") from error
        finally:
            self._state.waiting.dec()

    async def _give_back(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        if self.forgets is not None and self.forgets():
            self.forgotten.append(connection)
            return
        await self._pool.release(connection)

    async def take_back(self) -> None:
        """Return every forgotten connection, as a restart would."""
        while self.forgotten:
            await self._pool.release(self.forgotten.pop())


class Valkey:
    """A Valkey server, used as cache or as queue."""

    def __init__(self, tracer: trace.Tracer, meters: Meters, name: str, port: int) -> None:
        self._tracer = tracer
        self._meters = meters
        self._name = name
        self.client = valkey.Redis(
            host="127.0.0.1", port=port, decode_responses=True, socket_timeout=CALL_TIMEOUT_S
        )
        self.execute: Callable[..., Awaitable[object]] = self.client.execute_command

    async def run(self, command: str, *words: str | float) -> object:
        """Run one command. Raises `Unavailable` when the server does not answer."""
        tags = {
            "db.system.name": "valkey",
            "db.operation.name": command,
            "server.address": self._name,
        }
        with _client_span(self._tracer, f"{command} {self._name}", tags):
            started = time.perf_counter()
            try:
                answer = await self.execute(command, *words)
            except (valkey.RedisError, OSError) as error:
                raise Unavailable(f"{self._name} did not answer: {error}") from error
            self._meters.store_calls.labels(self._name, command).observe(
                time.perf_counter() - started
            )
            return answer


class Queue(Valkey):
    """A stream of messages that other processes take up; each carries the trace it came from."""

    async def send(self, message: Mapping[str, str]) -> None:
        """Append one message. Raises `Unavailable` when the server does not answer."""
        tags = {
            "messaging.system": "valkey",
            "messaging.operation.type": "send",
            "messaging.destination.name": self._name,
            "server.address": self._name,
        }
        name = f"send {self._name}"
        with self._tracer.start_as_current_span(
            name, kind=SpanKind.PRODUCER, attributes=tags, record_exception=False
        ):
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            pairs = {**message, **carrier}.items()
            words = [word for pair in pairs for word in pair]
            started = time.perf_counter()
            try:
                await self.execute("XADD", self._name, "MAXLEN", "~", "10000", "*", *words)
            except (valkey.RedisError, OSError) as error:
                raise Unavailable(f"{self._name} did not answer: {error}") from error
            self._meters.store_calls.labels(self._name, "XADD").observe(
                time.perf_counter() - started
            )


class Cache(Valkey):
    """A cache: look-ups are counted as hits and misses."""

    def __init__(self, tracer: trace.Tracer, meters: Meters, name: str, port: int) -> None:
        super().__init__(tracer, meters, name, port)
        self._lookups = CacheMeters(meters).lookups

    async def get(self, key: str) -> str | None:
        """The value of a key, None when it is not there."""
        found = await self.run("GET", key)
        self._lookups.labels("miss" if found is None else "hit").inc()
        return found if isinstance(found, str) else None


@dataclass(slots=True, kw_only=True)
class ShopProcess:
    """What the code of a service works with.

    before: called before each request; raising there fails the request.
    leaves_early: asked where a handler could take the wrong path; always False without a fault.
    """

    name: str
    version: str
    spec: Spec
    lab: Lab
    tracer: trace.Tracer
    log: logging.Logger
    meters: Meters
    rng: random.Random
    client: httpx.AsyncClient
    pool: Database | None = None
    kept: Cache | None = None
    stream: Queue | None = None
    before: list[Callable[[], None]] = field(default_factory=list)
    leaves_early: Callable[[], bool] = lambda: False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def database(self) -> Database:
        """The pool of this service."""
        if self.pool is None:
            raise LookupError(f"{self.name} has no database")
        return self.pool

    @property
    def cache(self) -> Cache:
        """The cache of this service."""
        if self.kept is None:
            raise LookupError(f"{self.name} has no cache")
        return self.kept

    @property
    def queue(self) -> Queue:
        """The queue of this service."""
        if self.stream is None:
            raise LookupError(f"{self.name} has no queue")
        return self.stream

    async def call(
        self, callee: str, method: str, path: str, *, route: str, body: object = None
    ) -> dict[str, object]:
        """Call another service. Raises `Unavailable` without an answer, `Failed` on an error."""
        tags = {
            "http.request.method": method,
            "http.route": route,
            "url.path": path,
            "server.address": callee,
            "peer.service": callee,
        }
        started, status = time.perf_counter(), "0"
        with _client_span(self.tracer, f"{method} {route}", tags) as span:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            address = f"http://127.0.0.1:{self.lab.link(self.name, callee)}{path}"
            try:
                answer = await self.client.request(method, address, json=body, headers=carrier)
                status = str(answer.status_code)
            except httpx.HTTPError as error:
                span.set_attribute("error.type", type(error).__name__)
                raise Unavailable(f"{callee} did not answer: {type(error).__name__}") from error
            finally:
                self.meters.calls.labels(callee, status).observe(time.perf_counter() - started)
            span.set_attribute("http.response.status_code", answer.status_code)
            if answer.is_error:
                raise Failed(f"{callee} answered {status} to {method} {route}")
            return as_object(answer.json())


def as_object(value: object) -> dict[str, object]:
    """A JSON object as it came from another process. Raises `Failed` when it is none."""
    if not isinstance(value, dict):
        raise Failed("the answer is not a JSON object")
    return value


def rows_of(value: object) -> list[dict[str, object]]:
    """A JSON list of objects; anything else is empty."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


@asynccontextmanager
async def opened(
    lab: Lab, name: str, spec: Spec, telemetry: tuple[trace.Tracer, logging.Logger], version: str
) -> AsyncIterator[ShopProcess]:
    """A process with all its ways out open, each through the proxy of its edge."""
    tracer, log = telemetry
    meters = Meters()
    meters.quota_cores.set(spec.cpu_cores)
    meters.memory_limit.set(spec.memory_mb * 2**20)
    meters.release.labels(version).set(1)
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    async with httpx.AsyncClient(timeout=CALL_TIMEOUT_S, limits=limits) as client:
        process = ShopProcess(
            name=name,
            version=version,
            spec=spec,
            lab=lab,
            tracer=tracer,
            log=log,
            meters=meters,
            rng=random.Random(f"{lab.seed}:{name}"),
            client=client,
        )
        for store in spec.stores:
            await _open_store(process, store)
        yield process


async def _open_store(process: ShopProcess, store: str) -> None:
    port = process.lab.link(process.name, store)
    if store == "postgres":
        pool = await asyncpg.create_pool(
            host="127.0.0.1",
            port=port,
            user="shop",
            database="shop",
            min_size=2,
            max_size=process.spec.pool_size,
            ssl=False,
        )
        process.pool = Database(process.tracer, process.meters, pool)
        return
    if store == "valkey":
        process.kept = Cache(process.tracer, process.meters, store, port)
    else:
        process.stream = Queue(process.tracer, process.meters, store, port)


def _client_span(
    tracer: trace.Tracer, name: str, tags: Mapping[str, str]
) -> AbstractContextManager[Span]:
    """A span that an exception marks as failed."""
    return tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=tags, record_exception=False
    )


def _table(sql: str) -> str:
    words = sql.replace(",", " ").split()
    for word in ("FROM", "INTO", "UPDATE"):
        if word in words:
            return words[words.index(word) + 1].split("(")[0]
    return "shop"
