"""The worker: claims jobs, carries them through the stages, keeps their leases, settles them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random

from opsmith.errors import BadInput, OpsmithError, Unreachable
from opsmith.flows.pipeline.executor import Executor
from opsmith.flows.pipeline.kind import Kind, context_of
from opsmith.flows.pipeline.order import in_order
from opsmith.nouns.job import Context, JobState, Lease, Settlement, Shard
from opsmith.seams.queue import TaskQueue

# Exponential, with jitter, as in "Exponential Backoff And Jitter" (AWS architecture blog, 2015):
# half of the delay is by chance, so that what failed together does not come again together.
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 300.0
# How long a claim waits for a job; a worker that is to stop is heard after this at the latest.
WAIT = timedelta(milliseconds=500)
# Settlements in one call.
TOGETHER = 100
# A queue that does not answer is asked again this often.
ASK_AGAIN_S = 1.0
_LOG = logging.getLogger("opsmith.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at once and how long.

    at_once: jobs, and shards of all of them together. beat_s: how often leases are renewed.
    patience_s: how long a stop waits for jobs to end before they are given back.
    """

    at_once: int = 16
    beat_s: float = 3.0
    patience_s: float = 25.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of leases since the start; lost ones went to another worker meanwhile."""

    ended: dict[str, int] = field(default_factory=dict)
    lost: int = 0


@dataclass(slots=True, kw_only=True)
class _InHand:
    """ends_as: what its lease becomes when its task is cancelled; None when it is lost."""

    lease: Lease
    interruptible: bool
    task: asyncio.Task[str]
    ends_as: JobState | None = None


class Worker:
    """Works until `stop`. name: of its own among all workers. rng: for the jitter of delays.

    trouble: why the queue is not to be had, empty while it is.
    """

    def __init__(
        self,
        queue: TaskQueue,
        kinds: Mapping[str, Kind],
        *,
        name: str,
        limits: Limits,
        clock: Callable[[], datetime],
        rng: Random,
    ) -> None:
        self._queue = queue
        self._kinds = kinds
        self._name = name
        self._limits = limits
        self._clock = clock
        self._rng = rng
        self._in_hand: dict[tuple[str, str], _InHand] = {}
        self._over: asyncio.Queue[Settlement] = asyncio.Queue()
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self.executor = Executor(hands=limits.at_once)
        self.tally = Tally()
        self.trouble = ""

    @property
    def in_hand(self) -> int:
        """How many jobs are in hand."""
        return len(self._in_hand)

    def stop(self) -> None:
        """Claim nothing more; finish what is in hand or give it back."""
        self._stopping.set()
        self._changed.set()

    async def work(self) -> None:
        """Take jobs until `stop`, then finish."""
        sides = [asyncio.create_task(self._beat()), asyncio.create_task(self._settle())]
        try:
            async with self.executor:
                await self._claim()
                await self._finish()
        finally:
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)

    async def _claim(self) -> None:
        while not self._stopping.is_set():
            free = self._limits.at_once - len(self._in_hand)
            if free <= 0:
                await self._change()
                continue
            try:
                leases = await self._queue.claim(self._name, most=free, wait=WAIT)
            except OpsmithError as error:
                await self._ail(error)
                continue
            self._well()
            for lease in leases:
                self._begin(lease)

    def _begin(self, lease: Lease) -> None:
        kind = self._kinds.get(lease.job.kind)
        task = asyncio.create_task(self._carry(lease, kind))
        one = _InHand(lease=lease, interruptible=kind is None or kind.interruptible, task=task)
        self._in_hand[_place(lease)] = one
        task.add_done_callback(lambda _: self._end(one))

    async def _carry(self, lease: Lease, kind: Kind | None) -> str:
        """One job through its stages; the result as JSON text."""
        if kind is None:
            raise BadInput(f"This worker knows no tasks of the kind {lease.job.kind}.")
        context = context_of(lease)
        shards = kind.split(lease.job.body)
        if len(shards) == 1:
            return await self._do(kind, context, shards[0])
        results = await in_order(shards, partial(self._do, kind, context))
        parts = ",".join(f"{json.dumps(name)}:{text}" for name, text in sorted(results.items()))
        return f'{{"shards":{{{parts}}}}}'

    async def _do(self, kind: Kind, context: Context, shard: Shard) -> str:
        async def piece() -> str:
            try:
                return await asyncio.wait_for(kind.do(shard, context), kind.deadline_s)
            except TimeoutError as error:
                raise Unreachable(f"{kind.name} took more than {kind.deadline_s:g} s.") from error

        return await self.executor.run(piece)

    def _end(self, one: _InHand) -> None:
        """Called when a job's task is over, however that came about."""
        settlement = self._verdict(one)
        if settlement is None:
            self.tally.lost += 1
            self._let_go(one.lease)
        else:
            self._over.put_nowait(settlement)

    def _verdict(self, one: _InHand) -> Settlement | None:
        if one.task.cancelled():
            if one.ends_as is None:
                return None
            said = "Somebody cancelled it." if one.ends_as is JobState.CANCELLED else ""
            return Settlement(lease=one.lease, state=one.ends_as, error=said)
        error = one.task.exception()
        if error is None:
            return Settlement(lease=one.lease, state=JobState.DONE, result=one.task.result())
        return self._failed(one.lease, error)

    def _failed(self, lease: Lease, error: BaseException) -> Settlement:
        """Another try when that is worth it, else the dead letters."""
        job, said = lease.job, str(error)
        if not isinstance(error, OpsmithError):
            said = f"A defect of opsmith: {type(error).__name__}: {error}"
            _LOG.error("task %s (%s), trace %s", job.id, job.kind, lease.trace, exc_info=error)
        worth = isinstance(error, OpsmithError) and error.worth_retrying
        if not worth or lease.attempt >= job.most_attempts:
            return Settlement(lease=lease, state=JobState.DEAD, error=said)
        delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** (lease.attempt - 1))
        due = self._clock() + timedelta(seconds=delay_s * self._rng.uniform(0.5, 1.0))
        return Settlement(lease=lease, state=JobState.DELAYED, error=said, due=due)

    async def _settle(self) -> None:
        """Tell the queue what is over, as many at a time as there are."""
        while True:
            batch = [await self._over.get()]
            while len(batch) < TOGETHER and not self._over.empty():
                batch.append(self._over.get_nowait())
            held: tuple[bool, ...] | None = None
            while held is None:
                try:
                    held = await self._queue.settle(batch)
                except OpsmithError as error:
                    await self._ail(error)
            for settlement, kept in zip(batch, held, strict=True):
                self._count(settlement, kept=kept)
                self._let_go(settlement.lease)

    async def _beat(self) -> None:
        """Hold the leases of what is in hand; stop what somebody cancelled or another has."""
        while True:
            await asyncio.sleep(self._limits.beat_s)
            held = [one for one in self._in_hand.values() if not one.task.done()]
            try:
                answers = await self._queue.renew(self._name, [one.lease for one in held])
            except OpsmithError as error:
                await self._ail(error)
                continue
            for one, answer in zip(held, answers, strict=True):
                if answer is not JobState.RUNNING and one.interruptible:
                    one.ends_as = JobState.CANCELLED if answer is JobState.CANCELLED else None
                    one.task.cancel()

    async def _finish(self) -> None:
        """Wait for what is in hand; give back what takes too long and may be stopped."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.patience_s
        while self._in_hand:
            if loop.time() >= until:
                for one in self._in_hand.values():
                    if one.interruptible and not one.task.done():
                        one.ends_as = JobState.WAITING
                        one.task.cancel()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._change(), max(0.1, until - loop.time()))

    def _count(self, settlement: Settlement, *, kept: bool) -> None:
        if kept:
            ended = self.tally.ended
            ended[settlement.state] = ended.get(settlement.state, 0) + 1
        else:
            self.tally.lost += 1

    def _let_go(self, lease: Lease) -> None:
        self._in_hand.pop(_place(lease), None)
        self._changed.set()

    async def _change(self) -> None:
        """Wait until something was let go, or the worker is to stop."""
        self._changed.clear()
        await self._changed.wait()

    async def _ail(self, error: OpsmithError) -> None:
        if not self.trouble:
            _LOG.warning("the queue: %s", error)
        self.trouble = str(error)
        await asyncio.sleep(ASK_AGAIN_S)

    def _well(self) -> None:
        if self.trouble:
            _LOG.warning("the queue answers again")
        self.trouble = ""


def _place(lease: Lease) -> tuple[str, str]:
    """A job can be lent to one worker twice, when its first lease was lost."""
    return lease.job.id, lease.token
