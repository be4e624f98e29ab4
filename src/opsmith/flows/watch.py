"""watch: changed alerts in, incidents kept on the ledger, each looked into as evidence comes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from opsmith.audit.states import INCIDENT, of_incident, to_incident
from opsmith.errors import BadInput, NotFound, OpsmithError
from opsmith.localise.grouping import (
    SIGN_FOR,
    merged,
    near,
    neighbours,
    similar,
    split,
    with_sign,
)
from opsmith.localise.parting import is_apart, parted
from opsmith.localise.roll import Roll
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.incident import ENDED, Blame, Incident, IncidentState, Verdict
from opsmith.nouns.record import Record
from opsmith.nouns.sign import Sign
from opsmith.nouns.topology import Topology
from opsmith.seams.ledger import Ledger, Wanted

# Looked at on arrival, and again when the metrics of one and of four more scrapes (15 s
# by Prometheus' common default) are in; later looks rarely change an answer that stands.
LOOKS_AFTER_S = (0.0, 15.0, 60.0)
# How long nothing may fire before a mitigated incident counts as resolved.
RESOLVE_AFTER = timedelta(minutes=15)
# How many incidents are read back when opsmith starts, newest states of all.
MOST_KEPT = 100_000
# Two looks of one incident are this far apart at least, however fast alerts join it: in a storm
# they would otherwise be all that runs.
LOOKS_APART_S = 5.0
NO_MORE: Mapping[str, frozenset[str]] = MappingProxyType({})

Look = Callable[[Incident], Awaitable[Verdict]]
Announce = Callable[[Incident], Awaitable[None]]


@dataclass(slots=True)
class _Round:
    """What was looked into of an incident, and still fires; since when nothing did, if nothing."""

    looked_into: set[str] = field(default_factory=set)
    calm_at: datetime | None = None


class Watch:
    """Keeps the incidents; every change is on the ledger before it is announced.

    look: investigates one incident with what is known now; its errors leave the old verdict.
    weigh: the same, with nothing kept of it; without it no fault is told from an earlier one.
    announce: is told each incident after each change.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        look: Look,
        announce: Announce,
        clock: Callable[[], datetime],
        weigh: Look | None = None,
        looks_after_s: Sequence[float] = LOOKS_AFTER_S,
    ) -> None:
        self._ledger = ledger
        self._look = look
        self._weigh = weigh
        self._announce = announce
        self._clock = clock
        self._looks_after_s = tuple(looks_after_s)
        self._news: dict[str, asyncio.Event] = {}
        self._roll = Roll()
        self._beside = neighbours(Topology())
        self._turn = asyncio.Lock()
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._read_to = 0
        self._written: dict[str, int] = {}
        self._rounds: dict[str, _Round] = {}
        self._loose: dict[str, Sign] = {}
        self.failed_looks = 0

    async def load(self) -> None:
        """Read back what the ledger knows; call once before anything else."""
        wanted = Wanted(kind=INCIDENT, latest=True, limit=MOST_KEPT)
        self._believe(await self._ledger.read(wanted))

    def know(self, topology: Topology) -> None:
        """Use `topology` to tell from now on what is near what."""
        self._beside = neighbours(topology)

    def incidents(self) -> tuple[Incident, ...]:
        """All incidents, the one that changed last first."""
        return tuple(sorted(self._roll.every, key=lambda i: i.updated_at, reverse=True))

    def incident(self, name: str) -> Incident:
        """The incident with this id. Raises `NotFound`."""
        if name not in self._roll:
            raise NotFound(f"There is no incident {name[:80]!r}.", hint="See `incident list`.")
        return self._roll[name]

    def like(self, incident: Incident) -> tuple[Incident, ...]:
        """The confirmed incidents most like this one, likest first."""
        confirmed = [i for i in self._roll.every if i.confirmed is not None]
        return tuple(self._roll[name] for name in similar(incident, confirmed))

    async def take(self, episodes: Sequence[Episode]) -> None:
        """Put changed alerts where they belong and look into what is now firing."""
        async with self._taking_turns():
            now = self._clock()
            grown = self._roll.placed(episodes, beside=self._beside, now=now)
            fresh = [one.incident.id for one in grown if self._has_news(one.incident)]
            for one in grown:
                self._follow_round(one.incident, episodes, now=now)
            touched = {one.incident.id: one.incident for one in grown}
            touched |= self._with_signs(touched, now=now)
            await self._keep(
                touched.values(), beyond={one.incident.id: one.beyond for one in grown}
            )
        for name in fresh:
            self._start_looking(name)

    async def observe(self, signs: Sequence[Sign]) -> tuple[Sign, ...]:
        """Put signs into the incidents that they are evidence in; those that are near none.

        These are remembered for a while: an incident that opens near them takes them in.
        """
        async with self._taking_turns():
            now = self._clock()
            touched: dict[str, Incident] = {}
            loose: list[Sign] = []
            for sign in signs:
                live = {**{i.id: i for i in self._roll.live}, **touched}.values()
                holding = (i for i in live if any(one.id == sign.id for one in i.signs))
                place = next(holding, None) or near(sign, live, beside=self._beside, now=now)
                if place is None:
                    loose.append(sign)
                else:
                    touched[place.id] = with_sign(place, sign)
            self._loose |= {sign.id: sign for sign in loose}
            await self._keep(touched.values())
        return tuple(loose)

    async def tick(self) -> None:
        """Resolve what has been calm for long enough; call every now and then.

        What fires and has no verdict yet is looked into again.
        """
        async with self._taking_turns():
            now = self._clock()
            told = [
                incident.with_more(len(self._roll.beyond(incident.id)))
                for incident in self._roll.live
                if incident.more != len(self._roll.beyond(incident.id))
            ]
            calm = [
                replace(incident, state=IncidentState.RESOLVED, updated_at=now)
                for incident in self._roll.live
                if incident.state is IncidentState.MITIGATED
                and now - incident.updated_at >= RESOLVE_AFTER
            ]
            await self._keep((*told, *calm))
            unlooked = [i.id for i in self._roll.live if i.firing and i.verdict is None]
        for name in unlooked:
            if name not in self._news:
                self._start_looking(name)

    def unseen(self, firing: Iterable[Episode]) -> list[Episode]:
        """Alerts whose round no incident has seen, ended or not: nobody lived to place them.

        For `take`.
        """
        return [episode for episode in firing if not self._has_seen(episode)]

    def unended(self, newest: Callable[[str], Episode | None]) -> list[Episode]:
        """The alerts that fire in an incident though they ended: nobody lived to place that.

        newest: the newest state of an alert by its fingerprint. For `take`.
        """
        named = (m.fingerprint for i in self._roll.live for m in i.members if m.firing)
        known = (newest(name) for name in named)
        return [one for one in known if one is not None and one.state is EpisodeState.RESOLVED]

    async def confirm(
        self, name: str, blame: Blame | None, *, principal: str, tenant: str = "default"
    ) -> Incident:
        """Record the true cause: the one given, or the one the verdict names.

        Raises `BadInput` when neither says who is to blame.
        """
        async with self._taking_turns():
            incident = self.incident(name)
            verdict = incident.verdict
            cause = blame or (verdict.blame if verdict else None)
            if cause is None:
                raise BadInput(
                    f"Incident {name} has no cause yet.", hint="Name one with --cause and --kind."
                )
            done = replace(
                incident, confirmed=cause, state=IncidentState.CONFIRMED, updated_at=self._clock()
            )
            await self._keep([done], principal=principal, tenant=tenant)
            return done

    async def reject(self, name: str, *, principal: str, tenant: str = "default") -> Incident:
        """Record that the cause found is wrong. Raises `BadInput` when none was found."""
        async with self._taking_turns():
            incident = self.incident(name)
            blame = incident.verdict.blame if incident.verdict else None
            if blame is None:
                raise BadInput(f"Incident {name} has no cause that could be rejected.")
            state = IncidentState.OPEN if incident.firing else IncidentState.MITIGATED
            done = replace(
                incident,
                rejected=tuple(sorted({*incident.rejected, blame})),
                confirmed=None,
                state=state,
                updated_at=self._clock(),
            )
            await self._keep([done], principal=principal, tenant=tenant)
            return done

    async def merge(
        self, name: str, other: str, *, principal: str, tenant: str = "default"
    ) -> Incident:
        """Give the alerts of `other` to incident `name`. Raises `BadInput` for one and itself."""
        async with self._taking_turns():
            if name == other:
                raise BadInput("An incident cannot be merged with itself.")
            whole, gone = merged(self.incident(name), self.incident(other), now=self._clock())
            await self._keep([whole, gone], principal=principal, tenant=tenant)
        self._start_looking(whole.id)
        return whole

    async def split(
        self, name: str, fingerprints: frozenset[str], *, principal: str, tenant: str = "default"
    ) -> tuple[Incident, Incident]:
        """Move the alerts named to an incident of their own; (the rest, the new one).

        Raises `BadInput` when an alert is not in it, or when one side would be empty.
        """
        async with self._taking_turns():
            incident = self.incident(name)
            known = {member.fingerprint for member in incident.members}
            if not fingerprints or not fingerprints < known:
                raise BadInput(
                    f"Incident {name} can be split by some, not all, of its own alerts.",
                    hint=f"They are {', '.join(sorted(known))}.",
                )
            both = split(incident, fingerprints, now=self._clock())
            await self._keep(both, principal=principal, tenant=tenant)
        for part in both:
            self._start_looking(part.id)
        return both

    def look_again(self, name: str) -> None:
        """Look into an incident anew, now and as evidence comes."""
        self._start_looking(name)

    async def close(self) -> None:
        """Stop looking; nothing is lost, a restart looks again."""
        tasks = tuple(self._looking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def _taking_turns(self) -> AsyncIterator[None]:
        """One change at a time, each on what other processes wrote meanwhile."""
        async with self._turn:
            wanted = Wanted(kind=INCIDENT, after=self._read_to, limit=MOST_KEPT)
            self._believe(await self._ledger.read(wanted))
            yield

    def _believe(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.seq > self._written.get(record.entry.subject, 0):
                self._roll.enter(to_incident(record))
            self._read_to = record.seq

    def _with_signs(self, touched: dict[str, Incident], *, now: datetime) -> dict[str, Incident]:
        """The incidents just touched with the loose signs that are near them."""
        self._loose = {k: sign for k, sign in self._loose.items() if now - sign.at <= SIGN_FOR}
        grown = dict(touched)
        for sign in self._loose.values():
            place = near(sign, grown.values(), beside=self._beside, now=now)
            if place is not None:
                grown[place.id] = with_sign(place, sign)
        taken = {sign.id for incident in grown.values() for sign in incident.signs}
        self._loose = {k: sign for k, sign in self._loose.items() if k not in taken}
        return grown

    def _has_seen(self, episode: Episode) -> bool:
        """Whether an incident, ended or not, changed with this round of the alert or after."""
        holder = self._roll.holder(episode.alert.fingerprint)
        return holder is not None and holder.updated_at >= episode.turns[-1]

    def _has_news(self, incident: Incident) -> bool:
        """Whether something fires in it that did not as it stood: a look may find more."""
        if incident.id not in self._roll:
            return True
        before = {m.fingerprint for m in self._roll[incident.id].members if m.firing}
        return any(m.firing and m.fingerprint not in before for m in incident.members)

    async def _keep(
        self,
        incidents: Iterable[Incident],
        *,
        principal: str = "opsmith",
        tenant: str = "default",
        beyond: Mapping[str, frozenset[str]] = NO_MORE,
    ) -> None:
        """Write first, then believe, then tell."""
        kept = tuple(incidents)
        if not kept:
            return
        now = self._clock()
        entries = [
            of_incident(incident, at=now, principal=principal, tenant=tenant) for incident in kept
        ]
        records = await self._ledger.append(entries, durable=principal != "opsmith")
        self._written.update((record.entry.subject, record.seq) for record in records)
        for incident in kept:
            self._roll.enter(incident, beyond.get(incident.id))
            await self._announce(incident)

    def _start_looking(self, name: str) -> None:
        self._news.setdefault(name, asyncio.Event()).set()
        running = self._looking.get(name)
        if running is None or running.done():
            self._looking[name] = asyncio.create_task(self._look_again_and_again(name))

    async def _look_again_and_again(self, name: str) -> None:
        """Look now and as evidence comes; an alert more begins the round anew."""
        news, time = self._news[name], asyncio.get_running_loop().time
        began, due = time(), deque(self._looks_after_s)
        looked = -LOOKS_APART_S
        while news.is_set() or due:
            if news.is_set():
                await asyncio.sleep(looked + LOOKS_APART_S - time())
                news.clear()
                began, due = time(), deque(self._looks_after_s)
            if not due or self._roll[name].state in ENDED:
                break
            due.popleft()
            if await self._has_parted(name):
                due.clear()
                continue
            await self._look_once(name)
            looked = time()
            if due:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), began + due[0] - time())
        del self._news[name]

    def _follow_round(
        self, incident: Incident, episodes: Sequence[Episode], *, now: datetime
    ) -> None:
        """Keep which alerts of it were looked into and still fire, and when none did any more."""
        firing = {member.fingerprint for member in incident.members if member.firing}
        seen = self._rounds.setdefault(incident.id, _Round())
        seen.looked_into &= firing
        if not incident.firing:
            ends = [e.alert.ends_at for e in episodes if e.alert.ends_at is not None]
            seen.calm_at = min(max(ends, default=now), now)

    async def _has_parted(self, name: str) -> bool:
        """Whether alerts that nobody looked into yet were of another fault, and have left."""
        incident, seen = self._roll[name], self._rounds.setdefault(name, _Round())
        firing = frozenset(m.fingerprint for m in incident.members if m.firing)
        late, calm_at = firing - seen.looked_into, seen.calm_at
        is_second = incident.verdict is not None and bool(seen.looked_into or calm_at)
        seen.looked_into, seen.calm_at = set(firing), None
        if self._weigh is None or not late or not is_second:
            return False
        alone = tuple(m for m in incident.members if m.fingerprint in late)
        try:
            found = await self._weigh(replace(incident, members=alone))
        except OpsmithError:
            self.failed_looks += 1
            return False
        async with self._taking_turns():
            incident = self._roll[name]
            if incident.state in ENDED or not is_apart(incident, late, found, calm_at=calm_at):
                return False
            first, second = parted(incident, late, found, now=self._clock())
            self._rounds[second.id] = _Round(looked_into=set(late))
            await self._keep((first, second))
        self._start_looking(second.id)
        return True

    async def _look_once(self, name: str) -> None:
        try:
            verdict = await self._look(self._roll[name])
        except OpsmithError:
            self.failed_looks += 1
        else:
            await self._judge(name, verdict)

    async def _judge(self, name: str, verdict: Verdict) -> None:
        async with self._taking_turns():
            incident = self._roll[name]
            if incident.state in ENDED:
                return
            seen = replace(incident, verdict=verdict)
            alike = tuple(one.id for one in self.like(seen))
            await self._keep([replace(seen, similar=alike)])
