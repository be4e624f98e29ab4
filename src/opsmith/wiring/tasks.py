"""Tasks for faces: put, looked at, cancelled, tried again; the queue is opened when first used."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from opsmith.errors import Conflict, NotFound
from opsmith.flows.slots import check_schedule, next_slot
from opsmith.nouns.job import ENDED, Job, JobState, Priority, Schedule, Standing
from opsmith.nouns.session import Principal
from opsmith.seams.queue import Queue
from opsmith.settings import Settings
from opsmith.wiring.act import now
from opsmith.wiring.queue import open_queue
from opsmith.wiring.task_bodies import split

# How often a task that somebody waits for is looked at.
LOOK_S = 0.1
# Among how many tasks those of one tenant are looked for.
MOST_READ = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A task as somebody wants it; see `nouns.job.Job`."""

    kind: str
    body: str = "{}"
    key: str = ""
    session: str = ""
    priority: Priority = Priority.NORMAL
    due: datetime | None = None
    most_attempts: int = 5
    keep_s: float = 86_400.0


class TaskDesk:
    """The tasks of the settings' queue, those that a principal sees."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queue: Queue | None = None
        self._opening = asyncio.Lock()

    async def aclose(self) -> None:
        """Let go of the queue."""
        if self._queue is not None:
            await self._queue.aclose()

    @property
    def in_use(self) -> bool:
        """Whether anybody ever put a task here; else even a look would start a queue."""
        return self._settings.queue_url is not None or (self._settings.data_dir / "queue").exists()

    async def put(self, wanted: Wanted, *, by: Principal) -> Standing:
        """Check and keep a task; for a key that is known, the first one.

        Raises `BadInput` for what its kind does not take.
        """
        split(wanted.kind, wanted.body)
        job = Job(
            id=secrets.token_hex(8),
            kind=wanted.kind,
            by=by,
            body=wanted.body,
            key=wanted.key,
            session=wanted.session,
            priority=wanted.priority,
            due=wanted.due,
            most_attempts=wanted.most_attempts,
            keep_s=wanted.keep_s,
        )
        queue = await self._opened()
        (name,) = await queue.put([job])
        return await queue.look(name)

    async def look(self, name: str, *, by: Principal) -> Standing:
        """One task. Raises `NotFound`, also for one of another tenant."""
        queue = await self._opened()
        found = await queue.look(name)
        if not by.sees(found.job.by.tenant):
            raise NotFound(f"There is no task {name[:80]!r}.")
        return found

    async def follow(self, name: str, *, by: Principal) -> AsyncIterator[Standing]:
        """The task now and after each change, until it ended."""
        before: Standing | None = None
        while True:
            found = await self.look(name, by=by)
            if found != before:
                yield found
            if found.state in ENDED:
                return
            before = found
            await asyncio.sleep(LOOK_S)

    async def newest(
        self, *, state: JobState | None, limit: int, by: Principal
    ) -> tuple[Standing, ...]:
        """The newest tasks that `by` sees."""
        queue = await self._opened()
        # Of many tenants' tasks the newest may all be others'.
        found = await queue.newest(state=state, limit=limit if by.everywhere else MOST_READ)
        return tuple(one for one in found if by.sees(one.job.by.tenant))[:limit]

    async def cancel(self, name: str, *, by: Principal) -> Standing:
        """End a task that waits, ask for the end of one that runs."""
        await self.look(name, by=by)
        return await (await self._opened()).cancel(name)

    async def retry(self, name: str, *, by: Principal) -> Standing:
        """Let a dead or cancelled task wait again. Raises `BadInput` for any other."""
        await self.look(name, by=by)
        return await (await self._opened()).requeue(name)

    async def schedule(self, wanted: Schedule) -> datetime | None:
        """Keep a schedule; when it comes next.

        Raises `BadInput` for times that never come or a body that its kind does not take,
        `Conflict` when the name is taken.
        """
        check_schedule(wanted, now=now())
        split(wanted.kind, wanted.body)
        queue = await self._opened()
        if any(one.name == wanted.name for one in await queue.schedules()):
            raise Conflict(
                f"There is a schedule {wanted.name} already.",
                hint=f"Remove it first: `opsmith schedule remove {wanted.name}`.",
            )
        await queue.keep(replace(wanted, last=now()))
        return next_slot(wanted, now=now())

    async def schedules(self) -> tuple[tuple[Schedule, datetime | None], ...]:
        """Every schedule, with when it comes next."""
        queue = await self._opened()
        return tuple((one, next_slot(one, now=now())) for one in await queue.schedules())

    async def drop(self, name: str) -> None:
        """Forget a schedule. Raises `NotFound`."""
        await (await self._opened()).drop(name)

    async def _opened(self) -> Queue:
        async with self._opening:
            if self._queue is None:
                self._queue = await asyncio.to_thread(open_queue, self._settings)
            return self._queue


def task_json(found: Standing) -> dict[str, object]:
    """A task as JSON values, alike on every face."""
    job = found.job
    return {
        "id": job.id,
        "kind": job.kind,
        "state": found.state,
        "attempts": found.attempts,
        "priority": job.priority,
        "by": job.by.name,
        "key": job.key,
        "trace": found.trace,
        "worker": found.worker,
        "body": json.loads(job.body),
        "result": json.loads(found.result) if found.result else None,
        "error": found.error,
        "put_at": found.put_at.isoformat(),
        "due": job.due.isoformat() if job.due else None,
        "began_at": found.began_at.isoformat() if found.began_at else None,
        "ended_at": found.ended_at.isoformat() if found.ended_at else None,
    }


@asynccontextmanager
async def task_desk(settings: Settings) -> AsyncIterator[TaskDesk]:
    """The desk for one command."""
    desk = TaskDesk(settings)
    try:
        yield desk
    finally:
        await desk.aclose()
