"""A queue in memory, and the promises that every queue keeps."""

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
from opsmith.nouns.session import Principal
from opsmith.seams.queue import Queue

NOW = timedelta(0)
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


def a_job(name: str, **more: object) -> Job:
    """A job for tests."""
    return replace(Job(id=name, kind="ping", by=Principal(name="ann")), **more)  # type: ignore[arg-type]


def done(lease: Lease, result: str = "{}") -> Settlement:
    return Settlement(lease=lease, state=JobState.DONE, result=result)


def _names(leases: Sequence[Lease]) -> list[str]:
    return [lease.job.id for lease in leases]


async def check_a_job_is_lent_once_and_its_result_is_kept(queue: Queue) -> None:
    assert await queue.put([a_job("a", body='{"x":1}', session="s", most_attempts=3)]) == ("a",)
    (lease,) = await queue.claim("w1", most=5, wait=NOW)
    assert lease.job == a_job("a", body='{"x":1}', session="s", most_attempts=3)
    assert lease.attempt == 1
    assert lease.trace
    assert await queue.claim("w2", most=5, wait=NOW) == ()
    assert (await queue.look("a")).state is JobState.RUNNING
    assert await queue.settle([done(lease, '{"y":2}')]) == (True,)
    stands = await queue.look("a")
    assert (stands.state, stands.result, stands.worker) == (JobState.DONE, '{"y":2}', "w1")
    assert stands.ended_at is not None
    assert await queue.claim("w2", most=5, wait=NOW) == ()
    assert await queue.settle([done(lease)]) == (False,)


async def check_putting_again_changes_nothing(queue: Queue) -> None:
    await queue.put([a_job("a"), a_job("a")])
    (lease,) = await queue.claim("w", most=5, wait=NOW)
    await queue.put([a_job("a")])
    await queue.settle([done(lease)])
    await queue.put([a_job("a")])
    assert await queue.claim("w", most=5, wait=NOW) == ()


async def check_a_key_is_one_job_for_its_tenant(queue: Queue) -> None:
    other = a_job("c", key="k", by=Principal(name="bob", tenant="other"))
    put = await queue.put([a_job("a", key="k"), a_job("b", key="k"), other])
    assert put == ("a", "a", "c")
    leases = await queue.claim("w", most=5, wait=NOW)
    assert sorted(_names(leases)) == ["a", "c"]
    await queue.settle([done(lease) for lease in leases])
    assert await queue.put([a_job("d", key="k")]) == ("a",)
    assert await queue.claim("w", most=5, wait=NOW) == ()


async def check_higher_priorities_go_first_then_the_older(queue: Queue) -> None:
    low, high = Priority.LOW, Priority.HIGH
    await queue.put([a_job("l", priority=low), a_job("n1"), a_job("n2")])
    await queue.put([a_job("h", priority=high)])
    first = await queue.claim("w", most=2, wait=NOW)
    rest = await queue.claim("w", most=2, wait=NOW)
    assert _names([*first, *rest]) == ["h", "n1", "n2", "l"]


async def check_a_lease_that_is_not_renewed_ends(queue: Queue) -> None:
    await queue.put([a_job("a")])
    (lost,) = await queue.claim("w1", most=1, wait=NOW)
    (taken,) = await _claimed(queue, "w2")
    assert (taken.job.id, taken.attempt, taken.trace) == ("a", 2, lost.trace)
    assert await queue.renew("w1", [lost]) == (JobState.WAITING,)
    assert await queue.settle([done(lost)]) == (False,)
    assert await queue.settle([done(taken)]) == (True,)


async def check_a_lease_that_is_renewed_stands(queue: Queue) -> None:
    await queue.put([a_job("a")])
    (lease,) = await queue.claim("w1", most=1, wait=NOW)
    for _ in range(8):
        await asyncio.sleep(LEASE.total_seconds() / 5)
        assert await queue.renew("w1", [lease]) == (JobState.RUNNING,)
        assert await queue.claim("w2", most=1, wait=NOW) == ()


async def check_a_job_that_kills_its_workers_is_buried(queue: Queue) -> None:
    await queue.put([a_job("a", most_attempts=2)])
    assert [one.attempt for _ in range(2) for one in await _claimed(queue, "w")] == [1, 2]
    await asyncio.sleep(LEASE.total_seconds())
    for _ in range(40):
        assert await queue.claim("w", most=1, wait=NOW) == ()
        if (await queue.look("a")).state is JobState.DEAD:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await queue.look("a"))


async def check_another_try_comes_at_its_time(queue: Queue) -> None:
    await queue.put([a_job("a")])
    (lease,) = await queue.claim("w", most=1, wait=NOW)
    soon = wall_clock() + timedelta(seconds=0.3)
    again = Settlement(lease=lease, state=JobState.DELAYED, error="no route", due=soon)
    await queue.settle([again])
    stands = await queue.look("a")
    assert (stands.state, stands.error, stands.attempts) == (JobState.DELAYED, "no route", 1)
    assert await queue.claim("w", most=1, wait=NOW) == ()
    (second,) = await _claimed(queue, "w")
    assert wall_clock() >= soon - timedelta(milliseconds=5)
    assert second.attempt == 2


async def check_what_is_given_back_costs_no_attempt(queue: Queue) -> None:
    await queue.put([a_job("a")])
    (lease,) = await queue.claim("w1", most=1, wait=NOW)
    await queue.settle([Settlement(lease=lease, state=JobState.WAITING)])
    (again,) = await queue.claim("w2", most=1, wait=NOW)
    assert again.attempt == 1


async def check_a_delayed_job_waits_for_its_time(queue: Queue) -> None:
    await queue.put([a_job("a", due=wall_clock() + timedelta(seconds=0.3))])
    assert (await queue.look("a")).state is JobState.DELAYED
    assert await queue.claim("w", most=1, wait=NOW) == ()
    assert (await queue.depth()).delayed == 1
    assert _names(await _claimed(queue, "w")) == ["a"]


async def check_the_dead_are_seen_and_may_be_requeued(queue: Queue) -> None:
    await queue.put([a_job("a"), a_job("b")])
    leases = await queue.claim("w", most=2, wait=NOW)
    await queue.settle([Settlement(lease=leases[0], state=JobState.DEAD, error="bad input")])
    (dead,) = await queue.newest(state=JobState.DEAD, limit=10)
    assert (dead.job.id, dead.error) == ("a", "bad input")
    assert [one.job.id for one in await queue.newest(state=None, limit=1)] != []
    assert (await queue.requeue("a")).state is JobState.WAITING
    (again,) = await queue.claim("w", most=2, wait=NOW)
    assert (again.job.id, again.attempt) == ("a", 1)
    await _refused(queue, "b")
    assert (await queue.depth()).dead == 0


async def check_a_cancelled_job_is_not_lent(queue: Queue) -> None:
    await queue.put([a_job("a"), a_job("b", due=wall_clock() + timedelta(seconds=0.1))])
    for name in ("a", "b"):
        assert (await queue.cancel(name)).state is JobState.CANCELLED
    await asyncio.sleep(0.2)
    assert await queue.claim("w", most=5, wait=NOW) == ()
    await queue.requeue("a")
    assert _names(await queue.claim("w", most=5, wait=NOW)) == ["a"]


async def check_a_running_job_is_asked_to_stop(queue: Queue) -> None:
    await queue.put([a_job("a")])
    (lease,) = await queue.claim("w", most=1, wait=NOW)
    assert (await queue.cancel("a")).state is JobState.RUNNING
    assert await queue.renew("w", [lease]) == (JobState.CANCELLED,)
    await queue.settle([Settlement(lease=lease, state=JobState.CANCELLED, error="as asked")])
    assert (await queue.look("a")).state is JobState.CANCELLED
    assert (await queue.cancel("a")).state is JobState.CANCELLED


async def check_a_job_that_was_asked_to_stop_is_not_tried_again(queue: Queue) -> None:
    await queue.put([a_job("a")])
    (lease,) = await queue.claim("w", most=1, wait=NOW)
    await queue.cancel("a")
    await queue.settle([Settlement(lease=lease, state=JobState.WAITING)])
    assert (await queue.look("a")).state is JobState.CANCELLED


async def check_a_result_is_forgotten_after_its_time(queue: Queue) -> None:
    await queue.put([a_job("a", keep_s=0.2, key="k")])
    await queue.settle([done(one) for one in await queue.claim("w", most=1, wait=NOW)])
    assert (await queue.look("a")).state is JobState.DONE
    await asyncio.sleep(0.3)
    await _not_found(queue, "a")
    assert await queue.put([a_job("b", key="k")]) == ("b",)
    await queue.claim("w", most=1, wait=NOW)
    assert [one.job.id for one in await queue.newest(state=None, limit=10)] == ["b"]


async def check_what_is_unknown_is_told(queue: Queue) -> None:
    await _not_found(queue, "nowhere")
    for verb in (queue.cancel, queue.requeue, queue.drop):
        try:
            await verb("nowhere")
        except NotFound:
            continue
        raise AssertionError(verb)


async def check_depth_counts(queue: Queue) -> None:
    await queue.put([a_job(name) for name in "abcd"])
    first, second = await queue.claim("w", most=2, wait=NOW)
    await queue.settle([done(first)])
    assert await queue.depth() == Depth(waiting=2, delayed=0, running=1, dead=0, done=1)
    await queue.settle([done(second)])


async def check_a_waiting_worker_is_woken(queue: Queue) -> None:
    waiting = asyncio.create_task(queue.claim("w", most=1, wait=timedelta(seconds=5)))
    await asyncio.sleep(0.05)
    await queue.put([a_job("a")])
    leases: Sequence[Lease] = await waiting
    for _ in range(10):
        leases = leases or await queue.claim("w", most=1, wait=timedelta(seconds=5))
    assert _names(leases) == ["a"]


async def check_many_jobs_are_each_lent_once(queue: Queue) -> None:
    names = [f"j{number}" for number in range(1000)]
    await queue.put([a_job(name) for name in names])
    lent: list[str] = []

    async def work(worker: str) -> None:
        while leases := await queue.claim(worker, most=7, wait=NOW):
            await queue.settle([done(lease) for lease in leases])
            lent.extend(_names(leases))

    await asyncio.gather(*(work(f"w{number}") for number in range(4)))
    assert sorted(lent) == sorted(names)


async def check_any_text_is_kept_as_it_is(queue: Queue) -> None:
    body = '{"text": "\\u0000 \\"; DROP {x} \u4e2d\u6587 \U0001f600"}'
    by = Principal(name="\u738b \u0160", tenant="a:b {c}")
    job = a_job("a b:{c}", body=body, key="k:{1} \u4e2d", by=by)
    await queue.put([job])
    (lease,) = await queue.claim("w", most=1, wait=NOW)
    assert lease.job == job
    await queue.settle([done(lease, body)])
    assert (await queue.look(job.id)).result == body


async def check_a_schedule_is_kept_with_its_newest_slot(queue: Queue) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    kept = Schedule(
        name="clean", cron="*/5 * * * *", zone="UTC", kind="ping", by=Principal(name="a"), last=at
    )
    await queue.keep(kept)
    await queue.keep(replace(kept, name="also"))
    await queue.passed("clean", at + timedelta(hours=1))
    await queue.passed("clean", at)
    also, clean = await queue.schedules()
    assert also == replace(kept, name="also")
    assert clean == replace(kept, last=at + timedelta(hours=1))
    await queue.drop("also")
    assert [one.name for one in await queue.schedules()] == ["clean"]


async def check_a_tenant_has_no_more_than_two_at_once(queue: Queue) -> None:
    """For a queue whose limit is two."""
    other = a_job("x", by=Principal(name="bob", tenant="other"))
    await queue.put([*(a_job(name) for name in "abcd"), other])
    leases = await queue.claim("w", most=5, wait=NOW)
    assert sorted(_names(leases)) == ["a", "b", "x"]
    assert await queue.claim("w", most=5, wait=NOW) == ()
    assert (await queue.depth()).waiting == 2
    assert (await queue.look("c")).state is JobState.WAITING
    await queue.cancel("c")
    await queue.settle([done(leases[0])])
    assert _names(await queue.claim("w", most=5, wait=NOW)) == ["d"]


CHECKS = (
    check_a_job_is_lent_once_and_its_result_is_kept,
    check_putting_again_changes_nothing,
    check_a_key_is_one_job_for_its_tenant,
    check_higher_priorities_go_first_then_the_older,
    check_a_lease_that_is_not_renewed_ends,
    check_a_lease_that_is_renewed_stands,
    check_a_job_that_kills_its_workers_is_buried,
    check_another_try_comes_at_its_time,
    check_what_is_given_back_costs_no_attempt,
    check_a_delayed_job_waits_for_its_time,
    check_the_dead_are_seen_and_may_be_requeued,
    check_a_cancelled_job_is_not_lent,
    check_a_running_job_is_asked_to_stop,
    check_a_job_that_was_asked_to_stop_is_not_tried_again,
    check_a_result_is_forgotten_after_its_time,
    check_what_is_unknown_is_told,
    check_depth_counts,
    check_a_waiting_worker_is_woken,
    check_many_jobs_are_each_lent_once,
    check_any_text_is_kept_as_it_is,
    check_a_schedule_is_kept_with_its_newest_slot,
)


async def _claimed(queue: Queue, worker: str) -> tuple[Lease, ...]:
    """Claim until something is lent, within a few seconds."""
    for _ in range(100):
        if leases := await queue.claim(worker, most=1, wait=timedelta(milliseconds=50)):
            return leases
    return ()


async def _refused(queue: Queue, name: str) -> None:
    try:
        await queue.requeue(name)
    except BadInput:
        return
    raise AssertionError(name)


async def _not_found(queue: Queue, name: str) -> None:
    try:
        await queue.look(name)
    except NotFound:
        return
    raise AssertionError(name)
