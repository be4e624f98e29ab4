"""A queue in memory; the promises that it keeps are in `testing.queue_promises`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from opsmith.errors import BadInput, NotFound
from opsmith.nouns.job import (
    ENDED,
    Depth,
    Job,
    JobState,
    Lease,
    Priority,
    Schedule,
    Settlement,
    Standing,
)

# Long for a test, and short for a busy machine.
LEASE = timedelta(milliseconds=400)


def wall_clock() -> datetime:
    """Servers have their own clock, so promises about time are checked by the wall's."""
    return datetime.fromtimestamp(time.time(), UTC)


@dataclass(slots=True, kw_only=True)
class _Kept:
    standing: Standing
    turn: int
    token: str = ""
    until: datetime | None = None
    due: datetime | None = None
    stop: bool = False
    lends: int = 0
    forget_at: datetime | None = None


@dataclass(slots=True)
class _Memory:
    jobs: dict[str, _Kept] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    turns: count[int] = field(default_factory=count)
    done: int = 0


class MemoryQueue:
    """Keeps the promises of `seams.queue` for as long as the process lives."""

    def __init__(
        self,
        *,
        lease: timedelta = LEASE,
        per_tenant: int = 0,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._lease = lease
        self._per_tenant = per_tenant
        self._clock = clock or wall_clock
        self._kept = _Memory()

    async def put(self, jobs: Sequence[Job]) -> tuple[str, ...]:
        self._forget()
        return tuple(self._put(job) for job in jobs)

    async def claim(self, worker: str, *, most: int, wait: timedelta) -> tuple[Lease, ...]:
        until = self._clock() + wait
        while True:
            leases = self._claim(worker, most)
            if leases or self._clock() >= until:
                return leases
            await asyncio.sleep(0.005)

    async def renew(self, worker: str, leases: Sequence[Lease]) -> tuple[JobState, ...]:
        answers = []
        for lease in leases:
            kept = self._held(lease)
            if kept is None:
                answers.append(JobState.WAITING)
                continue
            kept.until = self._clock() + self._lease
            answers.append(JobState.CANCELLED if kept.stop else JobState.RUNNING)
        return tuple(answers)

    async def settle(self, settlements: Sequence[Settlement]) -> tuple[bool, ...]:
        return tuple(self._settle(one) for one in settlements)

    async def aclose(self) -> None:
        pass

    async def look(self, name: str) -> Standing:
        self._forget()
        if name not in self._kept.jobs:
            raise NotFound(f"There is no task {name!r}.")
        return self._kept.jobs[name].standing

    async def newest(self, *, state: JobState | None, limit: int) -> tuple[Standing, ...]:
        self._forget()
        found = [kept.standing for kept in self._kept.jobs.values()]
        return tuple(one for one in reversed(found) if state in (None, one.state))[:limit]

    async def cancel(self, name: str) -> Standing:
        before = await self.look(name)
        kept = self._kept.jobs[name]
        if before.state is JobState.RUNNING:
            kept.stop = True
        elif before.state not in ENDED:
            self._end(kept, JobState.CANCELLED)
        return kept.standing

    async def requeue(self, name: str) -> Standing:
        before = await self.look(name)
        if before.state not in (JobState.DEAD, JobState.CANCELLED):
            raise BadInput(f"The task is {before.state}.")
        kept = self._kept.jobs[name]
        kept.turn, kept.forget_at, kept.due = next(self._kept.turns), None, None
        kept.standing = replace(
            before,
            state=JobState.WAITING,
            attempts=0,
            error="",
            result="",
            worker="",
            ended_at=None,
        )
        return kept.standing

    async def depth(self) -> Depth:
        self._forget()
        states = [kept.standing.state for kept in self._kept.jobs.values()]
        return Depth(
            waiting=states.count(JobState.WAITING),
            delayed=states.count(JobState.DELAYED),
            running=states.count(JobState.RUNNING),
            dead=states.count(JobState.DEAD),
            done=self._kept.done,
        )

    async def keep(self, schedule: Schedule) -> None:
        self._kept.schedules[schedule.name] = schedule

    async def schedules(self) -> tuple[Schedule, ...]:
        return tuple(one for _, one in sorted(self._kept.schedules.items()))

    async def drop(self, name: str) -> None:
        if self._kept.schedules.pop(name, None) is None:
            raise NotFound(f"There is no schedule {name!r}.")

    async def passed(self, name: str, slot: datetime) -> None:
        known = self._kept.schedules[name]
        self._kept.schedules[name] = replace(known, last=max(known.last, slot))

    def _put(self, job: Job) -> str:
        key = (job.by.tenant, job.key)
        if job.key and self._kept.keys.setdefault(key, job.id) != job.id:
            return self._kept.keys[key]
        if job.id not in self._kept.jobs:
            delayed = job.due is not None and job.due > self._clock()
            standing = Standing(
                job=job,
                state=JobState.DELAYED if delayed else JobState.WAITING,
                attempts=0,
                put_at=self._clock(),
            )
            turn = next(self._kept.turns)
            self._kept.jobs[job.id] = _Kept(standing=standing, turn=turn, due=job.due)
        return job.id

    def _claim(self, worker: str, most: int) -> tuple[Lease, ...]:
        self._forget()
        self._wake()
        waiting = [k for k in self._kept.jobs.values() if k.standing.state is JobState.WAITING]
        ranks = list(Priority)
        waiting.sort(key=lambda k: (ranks.index(k.standing.job.priority), k.turn))
        leases: list[Lease] = []
        for kept in waiting:
            if len(leases) < most and self._has_room(kept.standing.job.by.tenant):
                leases.append(self._lend(kept, worker))
        return tuple(leases)

    def _wake(self) -> None:
        """What is due waits; what nobody renewed waits again, or is buried."""
        now = self._clock()
        for kept in self._kept.jobs.values():
            one = kept.standing
            if one.state is JobState.DELAYED and kept.due is not None and kept.due <= now:
                kept.standing, kept.turn = (
                    replace(one, state=JobState.WAITING),
                    next(self._kept.turns),
                )
            if one.state is JobState.RUNNING and kept.until is not None and kept.until <= now:
                kept.token = ""
                kept.standing = replace(one, state=JobState.WAITING)
                if one.attempts >= one.job.most_attempts:
                    self._end(kept, JobState.DEAD, error="Its workers were lost.")

    def _has_room(self, tenant: str) -> bool:
        running = [
            kept
            for kept in self._kept.jobs.values()
            if kept.standing.state is JobState.RUNNING and kept.standing.job.by.tenant == tenant
        ]
        return not self._per_tenant or len(running) < self._per_tenant

    def _lend(self, kept: _Kept, worker: str) -> Lease:
        kept.lends += 1
        kept.token = f"{worker} {kept.lends}"
        kept.until = self._clock() + self._lease
        kept.standing = replace(
            kept.standing,
            state=JobState.RUNNING,
            attempts=kept.standing.attempts + 1,
            worker=worker,
            trace=kept.standing.trace or f"{kept.turn}-0",
            began_at=self._clock(),
        )
        one = kept.standing
        return Lease(job=one.job, trace=one.trace, attempt=one.attempts, token=kept.token)

    def _held(self, lease: Lease) -> _Kept | None:
        kept = self._kept.jobs.get(lease.job.id)
        return kept if kept is not None and kept.token == lease.token else None

    def _settle(self, one: Settlement) -> bool:
        kept = self._held(one.lease)
        if kept is None:
            return False
        kept.token = ""
        kept.standing = replace(kept.standing, result=one.result, error=one.error)
        state = JobState.CANCELLED if kept.stop and one.state not in ENDED else one.state
        if state in ENDED:
            self._end(kept, state, error=one.error)
        else:
            given_back = state is JobState.WAITING
            kept.due, kept.turn = one.due, next(self._kept.turns)
            kept.standing = replace(
                kept.standing, state=state, attempts=kept.standing.attempts - given_back
            )
        return True

    def _end(self, kept: _Kept, state: JobState, *, error: str = "") -> None:
        now = self._clock()
        kept.standing = replace(kept.standing, state=state, ended_at=now, error=error)
        kept.stop = False
        if state is JobState.DONE:
            self._kept.done += 1
            kept.forget_at = now + timedelta(seconds=kept.standing.job.keep_s)

    def _forget(self) -> None:
        now = self._clock()
        for name, kept in list(self._kept.jobs.items()):
            if kept.forget_at is not None and kept.forget_at <= now:
                del self._kept.jobs[name]
                self._kept.keys.pop((kept.standing.job.by.tenant, kept.standing.job.key), None)
