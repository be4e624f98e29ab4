"""stores: Valkey as a cache and as a queue."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import redis.asyncio as valkey
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from opsmith_lab.shop.errors import Unavailable
from opsmith_lab.shop.meters import CacheMeters, Meters
from opsmith_lab.shop.spans import client_span

COMMAND_TIMEOUT_S = 4.0


class Valkey:
    """A Valkey server, used as cache or as queue."""

    def __init__(self, tracer: trace.Tracer, meters: Meters, name: str, port: int) -> None:
        self._tracer = tracer
        self._meters = meters
        self._name = name
        self.client = valkey.Redis(
            host="127.0.0.1",
            port=port,
            decode_responses=True,
            socket_timeout=COMMAND_TIMEOUT_S,
            # A lost connection is tried once more, at once: the usual care of a client library.
            retry=Retry(NoBackoff(), 1),
        )
        self.execute: Callable[..., Awaitable[object]] = self.client.execute_command

    async def run(self, command: str, *words: str | float) -> object:
        """Run one command. Raises `Unavailable` when the server does not answer."""
        tags = {
            "db.system.name": "valkey",
            "db.operation.name": command,
            "server.address": self._name,
        }
        with client_span(self._tracer, f"{command} {self._name}", tags):
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
    """A cache: what one service keeps there carries its name; hits and misses are counted."""

    def __init__(
        self, tracer: trace.Tracer, meters: Meters, name: str, port: int, *, owner: str
    ) -> None:
        super().__init__(tracer, meters, name, port)
        self._owner = owner
        self._lookups = CacheMeters(meters).lookups

    async def get(self, key: str) -> str | None:
        """The value of a key, None when it is not there."""
        found = await self.run("GET", f"{self._owner}:{key}")
        self._lookups.labels("miss" if found is None else "hit").inc()
        return found if isinstance(found, str) else None

    async def keep(self, key: str, value: str, *, for_s: int) -> None:
        """Keep a value for a while."""
        await self.run("SET", f"{self._owner}:{key}", value, "EX", for_s)

    async def keep_all(self, values: Mapping[str, str], *, for_s: int) -> None:
        """Keep many values at once, outside of any request."""
        pipeline = self.client.pipeline(transaction=False)
        for key, value in values.items():
            pipeline.set(f"{self._owner}:{key}", value, ex=for_s)
        with suppress(valkey.RedisError, OSError):
            await pipeline.execute()

    async def drop_kept(self) -> None:
        """Lose everything that this service keeps."""
        with suppress(valkey.RedisError, OSError):
            async for key in self.client.scan_iter(match=f"{self._owner}:*", count=1000):
                await self.execute("UNLINK", key)
