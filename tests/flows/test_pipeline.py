"""A worker carries jobs through its stages, over a queue in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest

from opsmith.errors import BadInput, Unreachable
from opsmith.flows.pipeline.executor import Executor
from opsmith.flows.pipeline.order import in_order
from opsmith.flows.pipeline.worker import Limits, Worker
from opsmith.nouns.job import Context, JobState, Lease, Shard, Standing
from opsmith.nouns.session import Principal
from opsmith.testing.queue import LEASE, MemoryQueue, wall_clock
from opsmith.testing.queue_promises import a_job


@dataclass
class Doing:
    """A kind for tests: counts what it does, and does what it is told."""

    act: Callable[[Shard, Context], Awaitable[str]] | None = None
    shards: tuple[Shard, ...] = (Shard(name="all", body="{}"),)
    name: str = "ping"
    deadline_s: float = 5.0
    interruptible: bool = True
    seen: list[Context] = field(default_factory=list)

    def split(self, body: str) -> tuple[Shard, ...]:
        if body == "[]":
            raise BadInput("Not a body.")
        return self.shards

    async def do(self, shard: Shard, context: Context) -> str:
        self.seen.append(context)
        return await self.act(shard, context) if self.act else f'"{shard.name}"'


def worker_of(queue: MemoryQueue, kind: Doing, *, patience_s: float = 5.0) -> Worker:
    limits = Limits(at_once=4, beat_s=LEASE.total_seconds() / 4, patience_s=patience_s)
    return Worker(
        queue, {kind.name: kind}, name="w", limits=limits, clock=wall_clock, rng=Random(1)
    )


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[Worker]:
    task = asyncio.create_task(worker.work())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def until(queue: MemoryQueue, name: str, *states: JobState) -> Standing:
    for _ in range(500):
        found = await queue.look(name)
        if found.state in states:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(await queue.look(name))


async def test_a_job_is_done_with_its_context() -> None:
    queue, kind = MemoryQueue(), Doing()
    by = Principal(name="ann", tenant="shop")
    await queue.put([a_job("a", by=by, session="s1", key="k")])

    async with working(worker_of(queue, kind)):
        done = await until(queue, "a", JobState.DONE)

    assert done.result == '"all"'
    (context,) = kind.seen
    assert context == Context(trace=done.trace, job="a", key="k", by=by, session="s1", attempt=1)


async def test_shards_are_done_in_the_order_of_their_dependencies() -> None:
    order: list[str] = []

    async def act(shard: Shard, _: Context) -> str:
        await asyncio.sleep(0.02 if shard.name == "first" else 0)
        order.append(shard.name)
        return "1"

    shards = (
        Shard(name="last", body="{}", after=frozenset({"first", "other"})),
        Shard(name="first", body="{}"),
        Shard(name="other", body="{}"),
    )
    queue = MemoryQueue()
    await queue.put([a_job("a")])

    async with working(worker_of(queue, Doing(act=act, shards=shards))):
        done = await until(queue, "a", JobState.DONE)

    assert order == ["other", "first", "last"]
    assert done.result == '{"shards":{"first":1,"last":1,"other":1}}'


@pytest.mark.parametrize(
    "shards",
    [
        (
            Shard(name="a", body="", after=frozenset({"b"})),
            Shard(name="b", body="", after=frozenset({"a"})),
        ),
        (Shard(name="a", body="", after=frozenset({"gone"})),),
        (Shard(name="a", body=""), Shard(name="a", body="")),
        (),
    ],
    ids=["a circle", "one that is not there", "twice", "none"],
)
async def test_shards_without_an_order_are_refused(shards: tuple[Shard, ...]) -> None:
    async def never(_: Shard) -> str:
        raise AssertionError

    with pytest.raises(BadInput):
        await in_order(shards, never)


async def test_what_the_world_refused_is_tried_again_later() -> None:
    tries: list[int] = []

    async def act(_: Shard, context: Context) -> str:
        tries.append(context.attempt)
        raise Unreachable("no route")

    queue = MemoryQueue()
    await queue.put([a_job("a")])

    async with working(worker_of(queue, Doing(act=act))):
        again = await until(queue, "a", JobState.DELAYED)

    assert (again.error, tries) == ("no route", [1])


async def test_the_last_try_that_fails_is_buried() -> None:
    async def act(_: Shard, __: Context) -> str:
        raise Unreachable("no route")

    queue = MemoryQueue()
    await queue.put([a_job("a", most_attempts=1)])

    async with working(worker_of(queue, Doing(act=act))):
        dead = await until(queue, "a", JobState.DEAD)

    assert dead.error == "no route"


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [("ping", "[]", "Not a body."), ("dance", "{}", "This worker knows no tasks of the kind")],
)
async def test_what_can_never_be_done_is_buried_at_once(kind: str, body: str, says: str) -> None:
    queue = MemoryQueue()
    await queue.put([a_job("a", kind=kind, body=body)])

    async with working(worker_of(queue, Doing())):
        dead = await until(queue, "a", JobState.DEAD)

    assert says in dead.error


async def test_a_defect_buries_its_job_and_leaves_the_worker_well() -> None:
    async def act(_: Shard, context: Context) -> str:
        if context.job == "bad":
            raise ZeroDivisionError("by nought")
        return "1"

    queue = MemoryQueue()
    await queue.put([a_job("bad"), a_job("good")])

    async with working(worker_of(queue, Doing(act=act))):
        dead = await until(queue, "bad", JobState.DEAD)
        await until(queue, "good", JobState.DONE)

    assert "ZeroDivisionError" in dead.error


async def test_what_takes_too_long_is_stopped_and_tried_again() -> None:
    async def act(_: Shard, __: Context) -> str:
        await asyncio.sleep(60)
        return "1"

    queue = MemoryQueue()
    await queue.put([a_job("a")])

    async with working(worker_of(queue, Doing(act=act, deadline_s=0.05))):
        again = await until(queue, "a", JobState.DELAYED)

    assert "took more than 0.05 s" in again.error


async def test_a_long_job_keeps_its_lease() -> None:
    async def act(_: Shard, __: Context) -> str:
        await asyncio.sleep(LEASE.total_seconds() * 2.5)
        return "1"

    queue, kind = MemoryQueue(), Doing(act=act)
    await queue.put([a_job("a")])

    async with working(worker_of(queue, kind)):
        done = await until(queue, "a", JobState.DONE)

    assert (done.attempts, len(kind.seen)) == (1, 1)


async def test_a_cancelled_job_is_stopped() -> None:
    async def act(_: Shard, __: Context) -> str:
        await asyncio.sleep(60)
        return "1"

    queue = MemoryQueue()
    await queue.put([a_job("a")])

    async with working(worker_of(queue, Doing(act=act))):
        await until(queue, "a", JobState.RUNNING)
        await queue.cancel("a")
        stopped = await until(queue, "a", JobState.CANCELLED)

    assert stopped.error == "Somebody cancelled it."


async def test_a_stop_waits_for_what_is_in_hand() -> None:
    async def act(_: Shard, __: Context) -> str:
        await asyncio.sleep(0.2)
        return "1"

    queue = MemoryQueue()
    await queue.put([a_job("a")])

    async with working(worker_of(queue, Doing(act=act))):
        await until(queue, "a", JobState.RUNNING)

    assert (await queue.look("a")).state is JobState.DONE


async def test_a_stop_gives_back_what_takes_too_long() -> None:
    async def act(_: Shard, __: Context) -> str:
        await asyncio.sleep(60)
        return "1"

    queue = MemoryQueue()
    await queue.put([a_job("a")])

    async with working(worker_of(queue, Doing(act=act), patience_s=0.05)):
        await until(queue, "a", JobState.RUNNING)

    back = await queue.look("a")
    assert (back.state, back.attempts) == (JobState.WAITING, 0)


async def test_a_stop_waits_for_what_may_not_be_stopped() -> None:
    async def act(_: Shard, __: Context) -> str:
        await asyncio.sleep(0.3)
        return "1"

    queue = MemoryQueue()
    await queue.put([a_job("a")])

    kind = Doing(act=act, interruptible=False)
    async with working(worker_of(queue, kind, patience_s=0.0)):
        await until(queue, "a", JobState.RUNNING)

    assert (await queue.look("a")).state is JobState.DONE


async def test_no_more_is_claimed_than_hands_are_free() -> None:
    async def act(_: Shard, __: Context) -> str:
        await asyncio.sleep(60)
        return "1"

    queue = MemoryQueue()
    await queue.put([a_job(f"j{number}") for number in range(9)])

    async with working(worker_of(queue, Doing(act=act), patience_s=0.0)):
        await until(queue, "j0", JobState.RUNNING)
        await asyncio.sleep(0.1)
        depth = await queue.depth()

    assert (depth.running, depth.waiting) == (4, 5)


async def test_a_lost_queue_is_asked_again() -> None:
    class Away(MemoryQueue):
        away = 1

        async def claim(self, worker: str, *, most: int, wait: timedelta) -> tuple[Lease, ...]:
            if self.away:
                self.away -= 1
                raise Unreachable("The queue does not answer.")
            return await super().claim(worker, most=most, wait=wait)

    queue = Away()
    await queue.put([a_job("a")])

    async with working(worker_of(queue, Doing())) as worker:
        await asyncio.sleep(0.1)
        assert worker.trouble == "The queue does not answer."
        await until(queue, "a", JobState.DONE)

    assert worker.trouble == ""


async def test_the_executor_holds_no_more_pieces_than_hands() -> None:
    at_once = most = 0

    async def piece() -> str:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return "1"

    async with Executor(hands=3) as executor:
        results = await asyncio.gather(*(executor.run(piece) for _ in range(20)))

    assert (most, len(results), executor.done) == (3, 20, 20)


async def test_who_gives_up_waiting_stops_the_piece() -> None:
    stopped = asyncio.Event()

    async def piece() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.set()
            raise
        return "1"

    async with Executor(hands=1) as executor:
        waiting = asyncio.create_task(executor.run(piece))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.wait_for(stopped.wait(), 5)
