"""One running service: its ways out (database, cache, queue, other services) and its faults."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import httpx
from opentelemetry import propagate, trace

from opsmith_lab.layout import SERVICES, Lab, Spec
from opsmith_lab.shop import telemetry
from opsmith_lab.shop.database import Database
from opsmith_lab.shop.errors import Failed, Unavailable
from opsmith_lab.shop.meters import Meters
from opsmith_lab.shop.spans import client_span
from opsmith_lab.shop.stores import Cache, Queue
from opsmith_lab.shop.volume import Volume

CALL_TIMEOUT_S = 4.0
EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client waits for each attempt of a call, and how many it makes."""

    attempt_s: float = CALL_TIMEOUT_S
    attempts: int = 1


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
    disk: Volume | None = None
    patience: Patience = field(default_factory=Patience)
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

    @property
    def volume(self) -> Volume:
        """The volume of this service."""
        if self.disk is None:
            raise LookupError(f"{self.name} has no volume")
        return self.disk

    def give_up(self, reason: str) -> None:
        """End this process at once, as an accident does that nobody catches."""
        self.log.critical("%s cannot go on: %s", self.name, reason)
        telemetry.flush(self.log)
        os._exit(EXIT_CODE)

    async def call(
        self, callee: str, method: str, path: str, *, route: str, body: object = None
    ) -> dict[str, object]:
        """Call another service. Raises `Unavailable` without an answer, `Failed` on an error."""
        patience = self.patience
        attempts = min(patience.attempts, self.spec.attempts)
        for attempt in range(attempts):
            tags: dict[str, str | int] = {
                "http.request.method": method,
                "http.route": route,
                "url.path": path,
                "server.address": callee,
                "peer.service": callee,
            }
            if attempt:
                tags["http.request.resend_count"] = attempt
            try:
                return await self._attempt(tags, body, patience.attempt_s)
            except (Unavailable, Failed):
                if attempt == attempts - 1:
                    raise
        raise Unavailable(f"{callee} is not to be called at all")

    async def _attempt(
        self, tags: dict[str, str | int], body: object, timeout_s: float
    ) -> dict[str, object]:
        method, callee = str(tags["http.request.method"]), str(tags["server.address"])
        route = tags["http.route"]
        started, status = time.perf_counter(), "0"
        with client_span(self.tracer, f"{method} {route}", tags) as span:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            address = f"http://127.0.0.1:{self.lab.link(self.name, callee)}{tags['url.path']}"
            try:
                answer = await self.client.request(
                    method, address, json=body, headers=carrier, timeout=timeout_s
                )
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
        if spec.volume_mb:
            folder = lab.data / "volumes" / name
            process.disk = Volume(folder, spec.volume_mb * 2**20, meters.registry)
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
        # As many as the service was built for, whatever its pool was set to since.
        for shard in range(SERVICES[process.name].pool_size // 2):
            task = asyncio.get_running_loop().create_task(process.pool.subscribe(shard))
            process.tasks.add(task)
        return
    if store == "valkey":
        process.kept = Cache(process.tracer, process.meters, store, port, owner=process.name)
    else:
        process.stream = Queue(process.tracer, process.meters, store, port)
