"""The queue seam: jobs wait here for workers, are lent, settled, tried again or buried."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from opsmith.nouns.job import Depth, Job, JobState, Lease, Schedule, Settlement, Standing


class TaskQueue(Protocol):
    """Hands each job to one worker at a time, at least once.

    A claimed job is lent, not removed: unless it is renewed or settled before the lease ends,
    another worker is lent it, and the first one's token is worth nothing any more. A job that
    was settled as done, cancelled or dead is never lent again, however often it is delivered.
    Jobs of a higher priority go first, those of one priority in the order they were put.
    A job whose workers died `most_attempts` times is buried.
    Raises `Unreachable` when the store does not answer; then nothing or all of a call happened,
    and it may be repeated.
    """

    async def put(self, jobs: Sequence[Job]) -> tuple[str, ...]:
        """Keep the jobs; their ids in order, for a key that is known the id of the first job.

        Durable when it returns, as far as the store is: putting a job again changes nothing.
        """

    async def claim(self, worker: str, *, most: int, wait: timedelta) -> tuple[Lease, ...]:
        """Lend up to `most` jobs to `worker`; waits up to `wait` for the first, else gives none.

        A tenant is lent no more at once than its limit; what is over waits without being in
        the way of others.
        """

    async def renew(self, worker: str, leases: Sequence[Lease]) -> tuple[JobState, ...]:
        """Hold the leases for longer.

        For each RUNNING when it stands, CANCELLED when somebody wants it to stop, WAITING when
        it is not the worker's any more.
        """

    async def settle(self, settlements: Sequence[Settlement]) -> tuple[bool, ...]:
        """End leases; False for each that was not held any more, of which nothing is kept."""

    async def aclose(self) -> None:
        """Let go of the store."""


class QueueBook(Protocol):
    """Looks at jobs and changes what becomes of them. Raises `NotFound` for an unknown id."""

    async def look(self, name: str) -> Standing:
        """One job as it stands."""

    async def newest(self, *, state: JobState | None, limit: int) -> tuple[Standing, ...]:
        """Jobs in a state (None for any), the newest first."""

    async def cancel(self, name: str) -> Standing:
        """End a job that waits; ask for the end of one that runs. Nothing for one that ended."""

    async def requeue(self, name: str) -> Standing:
        """Let a dead or cancelled job wait again with all its attempts.

        Raises `BadInput` in any other state.
        """

    async def depth(self) -> Depth:
        """How many jobs are where."""


class Schedules(Protocol):
    """Keeps what is put again and again."""

    async def keep(self, schedule: Schedule) -> None:
        """Keep a schedule under its name, in place of another."""

    async def schedules(self) -> tuple[Schedule, ...]:
        """All of them, by name."""

    async def drop(self, name: str) -> None:
        """Forget one. Raises `NotFound`."""

    async def passed(self, name: str, slot: datetime) -> None:
        """Remember the newest slot that was put; an older one than is known changes nothing."""


class Queue(TaskQueue, QueueBook, Schedules, Protocol):
    """One store that keeps jobs, shows them and keeps what is put again and again."""
