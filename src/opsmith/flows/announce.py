"""announce: one message an incident to each place, replaced when it changes, never a storm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random

import orjson

from opsmith.errors import BadAnswer, Unreachable
from opsmith.nouns.incident import Incident, IncidentState
from opsmith.nouns.record import Entry
from opsmith.seams.ledger import Ledger, Wanted
from opsmith.seams.notify import Notice, Notify

KIND = "notice"
# A first message waits this long for a verdict: a cause is worth more than an alarm alone,
# and the first look takes about a second.
PATIENCE_S = 10.0
# Two messages of one incident are at least this far apart; what changes meanwhile is in the
# second. Chat services allow about one message a second and place for all incidents.
APART_S = 30.0
RETRIES = 6
FIRST_RETRY_S = 1.0

Key = tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Told:
    """What a place was told last of an incident."""

    key: Key = ()
    handle: str = ""
    revision: int = 0
    at: datetime | None = None


class Announcer:
    """Tells every place of every incident.

    places: by name. link: where an incident's report can be read, empty for nowhere.
    sleep, rng, clock: the world, given by the wiring.
    """

    def __init__(
        self,
        places: Mapping[str, Notify],
        *,
        ledger: Ledger,
        link: Callable[[Incident], str],
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        rng: Random,
    ) -> None:
        self._places = places
        self._ledger = ledger
        self._link = link
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._told: dict[tuple[str, str], Told] = {}
        self._newest: dict[str, Incident] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.lost = 0

    async def load(self) -> None:
        """Read back who was told what, so that a restart repeats nothing."""
        for record in await self._ledger.read(Wanted(kind=KIND, latest=True, limit=100_000)):
            place, _, incident = record.entry.subject.partition("/")
            line = orjson.loads(record.entry.body)
            self._told[place, incident] = Told(
                key=tuple(line["key"]),
                handle=line["handle"],
                revision=line["revision"],
                at=record.entry.at,
            )

    async def tell(self, incident: Incident) -> None:
        """Have every place told soon; returns at once."""
        self._newest[incident.id] = incident
        for place in self._places:
            running = self._tasks.get((place, incident.id))
            if running is None or running.done():
                task = asyncio.create_task(self._keep_told(place, incident.id))
                self._tasks[place, incident.id] = task

    async def close(self) -> None:
        """Stop; what was not delivered is told after the next start."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _keep_told(self, place: str, name: str) -> None:
        told = self._told.setdefault((place, name), Told())
        if not told.revision and self._newest[name].verdict is None:
            await self._wait_for_verdict(name)
        while _key(self._newest[name]) != told.key:
            if not told.revision and self._newest[name].state is IncidentState.MERGED:
                return
            await self._keep_apart(told)
            if not await self._deliver(place, self._newest[name], told):
                self.lost += 1
                return

    async def _wait_for_verdict(self, name: str) -> None:
        waited = 0.0
        while waited < PATIENCE_S and self._newest[name].verdict is None:
            await self._sleep(0.5)
            waited += 0.5

    async def _keep_apart(self, told: Told) -> None:
        if told.at is not None:
            gone = (self._clock() - told.at).total_seconds()
            await self._sleep(max(0.0, APART_S - gone))

    async def _deliver(self, place: str, incident: Incident, told: Told) -> bool:
        """Send, with retries further and further apart; whether it stands there now."""
        notice = _notice(incident, self._link(incident), told.revision + 1, self._clock())
        for attempt in range(RETRIES):
            try:
                handle = await self._places[place].send(notice, handle=told.handle)
            except Unreachable:
                # Full jitter. Source: Brooker (2015), Exponential Backoff And Jitter.
                await self._sleep(self._rng.uniform(0, FIRST_RETRY_S * 2**attempt))
            except BadAnswer:
                return False
            else:
                told.key, told.handle = _key(incident), handle
                told.revision, told.at = notice.revision, self._clock()
                await self._remember(place, incident.id, told)
                return True
        return False

    async def _remember(self, place: str, name: str, told: Told) -> None:
        line = {"key": told.key, "handle": told.handle, "revision": told.revision}
        body = orjson.dumps(line).decode()
        entry = Entry(kind=KIND, subject=f"{place}/{name}", body=body, at=self._clock())
        await self._ledger.append([entry], durable=False)


def _key(incident: Incident) -> Key:
    """What makes a message worth another: state and cause, not each alert or percent."""
    blame = incident.confirmed or (incident.verdict.blame if incident.verdict else None)
    status = incident.verdict.status if incident.verdict else ""
    cause = f"{blame.entity} {blame.kind}" if blame else ""
    return (incident.state, status, cause)


def _notice(incident: Incident, link: str, revision: int, at: datetime) -> Notice:
    verdict = incident.verdict
    lines = [verdict.sentence if verdict else "The cause is being looked for."]
    if verdict and len(verdict.path) > 1:
        lines.append("path: " + " -> ".join(map(str, verdict.path)))
    if incident.confirmed:
        lines.append(f"confirmed: {incident.confirmed.entity} {incident.confirmed.kind}")
    lines.append(f"{incident.firing} of {incident.size} alerts firing")
    if incident.similar:
        lines.append(f"seen before: {', '.join(incident.similar)}")
    return Notice(
        incident=incident.id,
        state=incident.state,
        title=f"{incident.state}: {incident.title}",
        lines=tuple(lines),
        link=link,
        revision=revision,
        at=at,
    )
