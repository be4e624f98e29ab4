"""The queue on Streams of any Valkey (7.2 up) or Redis (7.0 up): one consumer group, Lua scripts.

A priority is a stream. A job is a hash beside it, so that what a message means is decided when it
is lent, in one script: a job that was cancelled, done or put on the stream twice is not lent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from opsmith.backends.queue.records import of_job, of_schedule, to_job, to_schedule, to_standing
from opsmith.backends.queue.wire import Wire, Word
from opsmith.errors import BadInput, NotFound
from opsmith.nouns.job import Depth, Job, JobState, Lease, Priority, Schedule, Settlement, Standing

GROUP = "workers"
RANKS = tuple(map(str, Priority))
# A tag in braces keeps all keys in one slot of a cluster.
PREFIX = "{opsmith}"
# Wakes a worker at least this often, for what is due and what dead workers left.
LONGEST_BLOCK = timedelta(milliseconds=500)
# Jobs in one script call: about a millisecond of the server, in which others wait.
BATCH = 100
# How many of the newest jobs are gone through for those in one state.
LOOK_BACK = 20_000
# What `claim.lua` gives of each job: id, trace, attempt, token, record.
_LENT = 5


class StreamQueue:
    """Keeps the promises of `seams.queue` on one server.

    lease: how long a worker may be silent; the same for all workers of a server.
    per_tenant: how many jobs of a tenant may run at once, 0 for no limit.
    revive: see `Wire`. bye: what is done after the connections are closed.
    """

    def __init__(
        self,
        client: Redis,
        *,
        lease: timedelta,
        per_tenant: int = 0,
        revive: Callable[[], Awaitable[None]] | None = None,
        bye: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._wire = Wire(client, prepare=self._prepare, revive=revive)
        self._lease_ms = int(lease / timedelta(milliseconds=1))
        self._per_tenant = per_tenant
        self._bye = bye

    async def put(self, jobs: Sequence[Job]) -> tuple[str, ...]:
        """`put.lua`, some jobs a call."""
        names: list[bytes] = []
        for start in range(0, len(jobs), BATCH):
            words: list[Word] = []
            for job in jobs[start : start + BATCH]:
                key = f"{job.by.tenant}\x1f{job.key}" if job.key else ""
                due = int(job.due.timestamp() * 1000) if job.due else 0
                keep = max(1, int(job.keep_s * 1000))
                words += [job.id, job.priority, job.by.tenant, key, due, keep]
                words += [job.most_attempts, of_job(job)]
            names += await self._wire.script("put", PREFIX, *words)
        return tuple(name.decode() for name in names)

    async def claim(self, worker: str, *, most: int, wait: timedelta) -> tuple[Lease, ...]:
        """`claim.lua`; when it lends nothing, a blocking read wakes this worker alone."""
        fixed = (PREFIX, worker, most, self._lease_ms, self._per_tenant)
        next_ms, leases = _lent(await self._wire.script("claim", *fixed))
        if leases or not wait:
            return leases
        block_ms = int(min(wait, LONGEST_BLOCK) / timedelta(milliseconds=1))
        if next_ms >= 0:
            block_ms = min(block_ms, next_ms)
        read = await self._wire.messages(
            *("XREADGROUP", "GROUP", GROUP, worker, "COUNT", 1, "BLOCK", max(1, block_ms)),
            *("STREAMS", *(_name("stream", rank) for rank in RANKS), ">", ">", ">"),
        )
        taken: list[Word] = []
        for stream, entry, name in read:
            taken += [stream.rpartition(b":")[2], entry, name]
        return _lent(await self._wire.script("claim", *fixed, *taken))[1]

    async def renew(self, worker: str, leases: Sequence[Lease]) -> tuple[JobState, ...]:
        """`renew.lua`."""
        words = [word for lease in leases for word in (lease.job.id, lease.token)]
        answers = await self._wire.script("renew", PREFIX, worker, *words) if words else []
        return tuple(JobState(answer.decode()) for answer in answers)

    async def settle(self, settlements: Sequence[Settlement]) -> tuple[bool, ...]:
        """`settle.lua`, some leases a call."""
        held: list[bool] = []
        for start in range(0, len(settlements), BATCH):
            words: list[Word] = []
            for one in settlements[start : start + BATCH]:
                due = int(one.due.timestamp() * 1000) if one.due else 0
                words += [one.lease.job.id, one.lease.token, one.state, due]
                words += [one.result, one.error]
            held += [
                answer == b"1" for answer in await self._wire.script("settle", PREFIX, *words)
            ]
        return tuple(held)

    async def look(self, name: str) -> Standing:
        """The job's hash."""
        fields = await self._wire.fields("HGETALL", _name("job", name))
        if not fields:
            raise NotFound(f"There is no task {name[:80]!r}.", hint="See `opsmith task list`.")
        return to_standing(fields)

    async def newest(self, *, state: JobState | None, limit: int) -> tuple[Standing, ...]:
        """Through the index of all jobs, or that of the dead ones."""
        index = _name("dead" if state is JobState.DEAD else "all")
        found: list[Standing] = []
        page = max(limit, BATCH)
        for start in range(0, LOOK_BACK, page):
            names = await self._wire.texts("ZREVRANGE", index, start, start + page - 1)
            asked = [self._wire.fields("HGETALL", _name("job", name.decode())) for name in names]
            known = [to_standing(fields) for fields in await asyncio.gather(*asked) if fields]
            found += [one for one in known if state in (None, one.state)]
            if len(names) < page or len(found) >= limit:
                break
        return tuple(found[:limit])

    async def cancel(self, name: str) -> Standing:
        """`cancel.lua`."""
        await self._wire.script("cancel", PREFIX, name)
        return await self.look(name)

    async def requeue(self, name: str) -> Standing:
        """`requeue.lua`."""
        (other,) = await self._wire.script("requeue", PREFIX, name)
        if other not in (b"", b"none"):
            raise BadInput(
                f"The task is {other.decode()}; only a dead or cancelled one is tried again."
            )
        return await self.look(name)

    async def depth(self) -> Depth:
        """Lengths of the streams, less what is lent of them."""
        in_streams = lent = parked = 0
        for rank in RANKS:
            in_streams += await self._wire.number("XLEN", _name("stream", rank))
            lent += int((await self._wire.texts("XPENDING", _name("stream", rank), GROUP))[0])
        for tenant in await self._wire.texts("SMEMBERS", _name("parked")):
            parked += await self._wire.number("ZCARD", _name("parked", tenant.decode()))
        return Depth(
            waiting=max(0, in_streams - lent) + parked,
            delayed=await self._wire.number("ZCARD", _name("due")),
            running=lent,
            dead=await self._wire.number("ZCARD", _name("dead")),
            done=await self._wire.number("HGET", _name("count"), "done"),
        )

    async def keep(self, schedule: Schedule) -> None:
        """One hash for what is put, one for the newest slots."""
        await self._wire.number("HDEL", _name("slots"), schedule.name)
        await self.passed(schedule.name, schedule.last)
        record = of_schedule(schedule)
        await self._wire.number("HSET", _name("schedules"), schedule.name, record)

    async def schedules(self) -> tuple[Schedule, ...]:
        """Both hashes."""
        records = await self._wire.fields("HGETALL", _name("schedules"))
        slots = await self._wire.fields("HGETALL", _name("slots")) if records else {}
        return tuple(
            to_schedule(
                name.decode(),
                record,
                last=datetime.fromtimestamp(float(slots.get(name, b"0")), UTC),
            )
            for name, record in sorted(records.items())
        )

    async def drop(self, name: str) -> None:
        """Out of both hashes."""
        if not await self._wire.number("HDEL", _name("schedules"), name):
            raise NotFound(f"There is no schedule {name[:64]!r}.")
        await self._wire.number("HDEL", _name("slots"), name)

    async def passed(self, name: str, slot: datetime) -> None:
        """`passed.lua`."""
        await self._wire.script("passed", PREFIX, name, repr(slot.timestamp()))

    async def aclose(self) -> None:
        """Close the connections, then let the server know."""
        await self._wire.aclose()
        if self._bye is not None:
            await self._bye()

    async def _prepare(self) -> None:
        """The group must be there before anybody reads."""
        for rank in RANKS:
            with suppress(ResponseError):  # BUSYGROUP: it is
                await self._wire.raw(
                    "XGROUP", "CREATE", _name("stream", rank), GROUP, "0", "MKSTREAM"
                )


def _name(*parts: str) -> str:
    return ":".join((PREFIX, *parts))


def _lent(reply: Sequence[bytes]) -> tuple[int, tuple[Lease, ...]]:
    """The answer of `claim.lua`: milliseconds until the next delayed job, and what is lent."""
    lent = reply[1:]
    return int(float(reply[0])), tuple(
        Lease(
            job=to_job(lent[at + 4]),
            trace=lent[at + 1].decode(),
            attempt=int(lent[at + 2]),
            token=lent[at + 3].decode(),
        )
        for at in range(0, len(lent), _LENT)
    )
