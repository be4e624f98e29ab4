"""Quota: so many runs at once and a minute, counted on the ledger, each run told there.

Every process that shares the ledger counts together; what it does not take is not run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from opsmith.errors import Conflict, NotBegun, OpsmithError, Unreachable
from opsmith.nouns.record import Entry, Record
from opsmith.seams.ledger import Ledger, Seen, Wanted
from opsmith.seams.sandbox import Ending, Program, Ran, Sandbox

SANDBOX = "sandbox"
_MINUTE = timedelta(minutes=1)
# A run whose process died is counted no longer than its time and this.
_SLACK = timedelta(seconds=60)
# As many writers may be first, one after the other, before this one gives up.
_TRIES = 20

Archive = Callable[[str, Ran], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """The newest state of one name. running: until when, by run. recent: begun, last minute."""

    seq: int
    running: Mapping[str, datetime]
    recent: tuple[datetime, ...]


class MeteredSandbox:
    """A sandbox that keeps to each program's quota and writes every run down.

    archive: keeps the output of a run, redacted and bounded, and gives its name.
    clock: UTC-aware.
    """

    def __init__(
        self, inner: Sandbox, ledger: Ledger, *, archive: Archive, clock: Callable[[], datetime]
    ) -> None:
        self._inner = inner
        self._ledger = ledger
        self._archive = archive
        self._clock = clock

    async def run(self, program: Program) -> Ran:
        """Run it, or answer that its quota is used up; `NotBegun` when nothing can be kept."""
        run = uuid4().hex[:12]
        try:
            why = await self._begin(program, run)
        except Unreachable as error:
            raise NotBegun(f"{program.name} was not run: {error}") from error
        if why:
            return Ran(ending=Ending.REFUSED, code=0, output=why)
        said: dict[str, object] = {"ending": "cancelled"}
        try:
            ran = await self._inner.run(program)
            ran = replace(ran, log=await self._archive(f"{program.name}-{run}", ran))
            said = _said(ran)
        except OpsmithError as error:
            said = {"ending": "not run", "why": str(error)}
            raise
        finally:
            await asyncio.shield(self._end(program, run, said))
        return ran

    async def _begin(self, program: Program, run: str) -> str:
        """Take a place; why there is none, empty when it is taken."""
        for _ in range(_TRIES):
            count, now = await self._count(program.name), self._clock()
            why = _used_up(program, count)
            body: dict[str, object] = {"event": "refused", "why": why, "run": run}
            running, recent = dict(count.running), count.recent
            if not why:
                running[run] = now + timedelta(seconds=program.limits.wall_s) + _SLACK
                recent = (*recent, now)
                body = {"event": "started", "run": run, "argv": list(program.argv)}
            try:
                await self._write(program, replace(count, running=running, recent=recent), body)
            except Conflict:
                continue
            return why
        raise Unreachable(f"Too many runs of {program.name} begin at the same time.")

    async def _end(self, program: Program, run: str, said: Mapping[str, object]) -> None:
        body = {"event": "ended", "run": run, **said}
        for _ in range(_TRIES):
            count = await self._count(program.name)
            running = {name: until for name, until in count.running.items() if name != run}
            try:
                await self._write(program, replace(count, running=running), body)
            except Conflict:
                continue
            return

    async def _count(self, name: str) -> _Count:
        newest = await self._ledger.read(Wanted(kind=SANDBOX, subject=name, latest=True, limit=1))
        return (
            _standing(newest[0], self._clock()) if newest else _Count(seq=0, running={}, recent=())
        )

    async def _write(self, program: Program, count: _Count, body: Mapping[str, object]) -> None:
        counted = {
            "running": {run: until.isoformat() for run, until in count.running.items()},
            "recent": [at.isoformat() for at in count.recent],
        }
        text = json.dumps({**body, **counted}, ensure_ascii=False)
        entry = Entry(kind=SANDBOX, subject=program.name, body=text, at=self._clock())
        seen = Seen(kind=SANDBOX, subject=program.name, seq=count.seq)
        await self._ledger.append([entry], durable=True, seen=[seen])


def _standing(record: Record, now: datetime) -> _Count:
    body = json.loads(record.entry.body)
    running = {run: datetime.fromisoformat(until) for run, until in body["running"].items()}
    recent = tuple(datetime.fromisoformat(at) for at in body["recent"])
    return _Count(
        seq=record.seq,
        running={run: until for run, until in running.items() if until > now},
        recent=tuple(at for at in recent if now - at < _MINUTE),
    )


def _used_up(program: Program, count: _Count) -> str:
    quota = program.quota
    if len(count.running) >= quota.at_once:
        return f"{len(count.running)} runs of {program.name} are going on, the most at once"
    if len(count.recent) >= quota.per_minute:
        return f"{len(count.recent)} runs of {program.name} began within a minute, the most"
    return ""


def _said(ran: Ran) -> dict[str, object]:
    return {
        "ending": str(ran.ending),
        "code": ran.code,
        "held": list(ran.held),
        "wall_s": round(ran.usage.wall_s, 3),
        "cpu_s": round(ran.usage.cpu_s, 3),
        "memory_peak_bytes": ran.usage.memory_peak_bytes,
        "forks_refused": ran.usage.forks_refused,
        "output_bytes": ran.output_bytes,
        "log": ran.log,
    }
