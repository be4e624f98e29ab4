"""News: which plans and tasks changed, whoever changed them, for the pages that are open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from opsmith.audit.states import ACT, PLAN
from opsmith.nouns.job import Standing
from opsmith.nouns.session import Principal
from opsmith.seams.ledger import Readable, Wanted
from opsmith.wiring.tasks import TaskDesk

# Every tenant's changes are read; who listens is told those that it sees.
READER = Principal(name="opsmith", everywhere=True)
# A page that is told of many plans reads its list anew, so that more than so many are no news.
MOST_TOLD = 50
NEWEST_TASKS = 100
PAGE = 10_000
# The queue is asked for a hundred tasks each time, the ledger for what is new.
QUEUE_EVERY = 4


class Tell(Protocol):
    """Is told what changed."""

    def __call__(self, event: str, name: str, /, *, tenant: str) -> None:
        """event: `plan` or `task`; name: which one."""


class News:
    """Looks at the ledger and the queue while somebody listens; also other processes write there.

    tell: is told each change. heard: whether anybody listens.
    """

    def __init__(self, ledger: Readable, tasks: TaskDesk) -> None:
        self.tell: Tell = _nobody
        self.heard: Callable[[], bool] = bool
        self._ledger = ledger
        self._tasks = tasks
        self._read_to = dict.fromkeys((PLAN, ACT), 0)
        self._known: dict[str, Standing] = {}
        self._steps = 0

    async def step(self) -> None:
        """Look once. Raises what the ledger and the queue raise."""
        if not self.heard():
            return
        await self._plans()
        if self._steps % QUEUE_EVERY == 0:
            await self._queue()
        self._steps += 1

    async def _plans(self) -> None:
        changed: dict[str, str] = {}
        for kind, seq in self._read_to.items():
            wanted = Wanted(kind=kind, after=seq, latest=True, limit=PAGE)
            for record in await self._ledger.read(wanted):
                name = record.entry.subject.partition("/")[0]
                changed.pop(name, None)
                changed[name] = record.entry.tenant
                self._read_to[kind] = record.seq
        told = Counter[str]()
        for name, tenant in reversed(changed.items()):
            told[tenant] += 1
            if told[tenant] <= MOST_TOLD:
                self.tell("plan", name, tenant=tenant)

    async def _queue(self) -> None:
        if not self._tasks.in_use:
            return
        found = await self._tasks.newest(state=None, limit=NEWEST_TASKS, by=READER)
        now = {one.job.id: one for one in found}
        for name, one in now.items():
            if one != self._known.get(name):
                self.tell("task", name, tenant=one.job.by.tenant)
        self._known = now


def _nobody(event: str, name: str, /, *, tenant: str) -> None:
    """Nobody is told yet."""
