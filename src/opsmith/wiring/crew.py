"""The crew: what a worker process needs, opened, run until told to stop, and counted."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from opsmith.errors import OpsmithError
from opsmith.flows.pipeline.worker import Limits, Worker
from opsmith.flows.slots import put_due
from opsmith.seams.queue import Queue
from opsmith.settings import Settings
from opsmith.wiring.act import desk as act_desk
from opsmith.wiring.act import now
from opsmith.wiring.desk import Desk
from opsmith.wiring.llm import Inference
from opsmith.wiring.queue import LEASE, open_queue
from opsmith.wiring.task_kinds import kinds

# Seconds of cron are heard within this; the depth of the queue is as old at the most.
TICK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a worker is to work.

    at_once: tasks at a time. per_tenant: of one tenant, 0 for no limit; the same for all workers.
    patience_s: how long a stop waits before tasks are given back. bundles: folders whose recorded
    incidents may be looked into. listen: host and port of `/metrics`, None for none.
    """

    at_once: int = 16
    per_tenant: int = 0
    patience_s: float = 25.0
    bundles: Sequence[Path] = ()
    listen: tuple[str, int] | None = None


async def work(settings: Settings, wish: Wish, *, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then finish what is in hand or give it back.

    Raises `Unreachable` when the queue is not to be had at the start.
    """
    async with AsyncExitStack() as stack:
        queue = open_queue(settings, per_tenant=wish.per_tenant)
        await stack.enter_async_context(aclosing(queue))
        await queue.depth()
        house = await stack.enter_async_context(act_desk(settings))
        inference = await stack.enter_async_context(aclosing(Inference(settings)))
        desk = Desk(settings, house.ledger, inference, lambda: house.control)
        questions = await stack.enter_async_context(aclosing(desk))
        roots = (settings.data_dir, *wish.bundles)
        worker = Worker(
            queue,
            kinds(settings, house=house, desk=questions, bundles=roots),
            name=worker_name(),
            limits=Limits(
                at_once=wish.at_once,
                beat_s=LEASE.total_seconds() / 10,
                patience_s=wish.patience_s,
            ),
            clock=now,
            rng=SystemRandom(),
        )
        gauges = Gauges()
        if wish.listen is not None:
            host, port = wish.listen
            server, _ = start_http_server(port, addr=host, registry=gauges.registry)
            stack.callback(server.shutdown)
        sides = [
            asyncio.create_task(_tick(queue, worker, gauges)),
            asyncio.create_task(_heed(stop, worker)),
        ]
        try:
            await worker.work()
        finally:
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)


def worker_name() -> str:
    """Host, process and some chance: two containers can have the same host and process number."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


class Gauges:
    """What a worker counts about itself and sees of the queue, for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ended = Gauge(
            "opsmith_worker_tasks_total",
            "Tasks that this worker settled, by their state.",
            ["state"],
            registry=self.registry,
        )
        self._plain = {
            name: Gauge(f"opsmith_{name}", text, registry=self.registry)
            for name, text in (
                ("worker_in_hand", "Tasks in hand."),
                ("worker_lost_total", "Leases that another worker took over."),
                ("worker_shards_total", "Shards done."),
                ("worker_busy_seconds_total", "Seconds that hands were busy, all together."),
                ("worker_trouble", "1 while the queue is not to be had."),
            )
        }
        self._depth = Gauge(
            "opsmith_queue_tasks", "Tasks on the queue by their state.", ["state"],
            registry=self.registry,
        )  # fmt: skip

    def count(self, worker: Worker) -> None:
        """As the worker stands."""
        for state, number in worker.tally.ended.items():
            self._ended.labels(state).set(number)
        self._plain["worker_in_hand"].set(worker.in_hand)
        self._plain["worker_lost_total"].set(worker.tally.lost)
        self._plain["worker_shards_total"].set(worker.executor.done)
        self._plain["worker_busy_seconds_total"].set(worker.executor.busy_s)
        self._plain["worker_trouble"].set(bool(worker.trouble))

    async def see(self, queue: Queue) -> None:
        """As the queue stands."""
        depth = await queue.depth()
        for state in ("waiting", "delayed", "running", "dead"):
            self._depth.labels(state).set(getattr(depth, state))


async def _tick(queue: Queue, worker: Worker, gauges: Gauges) -> None:
    """Put what schedules want, and count."""
    while True:
        with suppress(OpsmithError):  # the worker itself says when the queue does not answer
            await put_due(queue, now=now())
            await gauges.see(queue)
        gauges.count(worker)
        await asyncio.sleep(TICK_S)


async def _heed(stop: asyncio.Event, worker: Worker) -> None:
    await stop.wait()
    worker.stop()
