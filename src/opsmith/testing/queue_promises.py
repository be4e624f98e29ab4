"""The promises that every queue keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from opsmith.errors import BadInput, NotFound
from opsmith.nouns.job import Depth, Job, JobState, Lease, Priority, Schedule, Settlement
from opsmith.nouns.session import Principal
from opsmith.seams.queue import Queue
from opsmith.testing.queue import LEASE, wall_clock

NOW = timedelta(0)


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
