"""receive: alerts in, each change of state on the ledger before anyone is told it was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from opsmith.audit.states import ALERT, of_episode, to_episode
from opsmith.nouns.episode import Episode, EpisodeState, advance
from opsmith.nouns.record import Entry
from opsmith.nouns.sign import OWN
from opsmith.nouns.signals import Alert
from opsmith.seams.ledger import Ledger, Wanted

# How many alert states are read back in one go when opsmith starts.
PAGE = 10_000

Listener = Callable[[Sequence[Episode]], Awaitable[None]]


class Inbox:
    """Knows the newest state of every alert, as the ledger has it.

    `receive` returns only when what it was given is on the ledger and synced; a repeat of
    what is there already is not written again.
    """

    def __init__(self, ledger: Ledger, *, tell: Listener) -> None:
        self._ledger = ledger
        self._tell = tell
        self._episodes: dict[str, Episode] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}

    async def load(self) -> None:
        """Read back what the ledger knows; call once before the first `receive`."""
        after = 0
        while records := await self._ledger.read(
            Wanted(kind=ALERT, latest=True, after=after, limit=PAGE)
        ):
            for record in records:
                self._episodes[record.entry.subject] = to_episode(record)
            after = records[-1].seq

    @property
    def firing(self) -> tuple[Episode, ...]:
        """The alerts that fire now."""
        return tuple(e for e in self._episodes.values() if e.state is EpisodeState.FIRING)

    def known(self, beginning: str) -> dict[str, Episode]:
        """The newest state of every alert whose fingerprint begins so."""
        return {name: e for name, e in self._episodes.items() if name.startswith(beginning)}

    def episode(self, fingerprint: str) -> Episode | None:
        """The newest state of one alert."""
        return self._episodes.get(fingerprint)

    async def reconcile(self, active: Sequence[Alert], *, now: datetime) -> tuple[Episode, ...]:
        """Take the sender's own account of what fires: missed starts and missed ends.

        An alert that we think fires and the sender does not know ended while nobody told us;
        those that opsmith raised itself are none of the sender's.
        """
        known = {alert.fingerprint for alert in active}
        ended = [
            replace(e.alert, ends_at=now)
            for e in self.firing
            if e.alert.fingerprint not in known and not e.alert.fingerprint.startswith(OWN)
        ]
        return await self.receive((*active, *ended), now=now)

    async def receive(
        self, alerts: Sequence[Alert], *, now: datetime, beside: Sequence[Entry] = ()
    ) -> tuple[Episode, ...]:
        """Take alerts as they arrive; the episodes that they changed.

        beside: what goes on the ledger in the same write, also when no alert changed.
        Raises what the ledger raises, and then nothing was taken.
        """
        prints = {alert.fingerprint for alert in alerts}
        while waiting := {self._busy[name] for name in prints if name in self._busy}:
            await asyncio.wait(waiting)
        changed = self._changes(alerts, now=now)
        if not changed and not beside:
            return ()
        writing = asyncio.create_task(self._write(changed, beside, now=now))
        self._busy.update((episode.alert.fingerprint, writing) for episode in changed)
        await asyncio.shield(writing)
        if changed:
            await self._tell(changed)
        return changed

    def _changes(self, alerts: Sequence[Alert], *, now: datetime) -> tuple[Episode, ...]:
        """Every change that the alerts make, in their order, several of one alert included."""
        newest: dict[str, Episode] = {}
        changes: list[Episode] = []
        for alert in alerts:
            known = newest.get(alert.fingerprint) or self._episodes.get(alert.fingerprint)
            if (episode := advance(known, alert, now=now)) is not None:
                newest[alert.fingerprint] = episode
                changes.append(episode)
        return tuple(changes)

    async def _write(
        self, changed: Sequence[Episode], beside: Sequence[Entry], *, now: datetime
    ) -> None:
        """Seal the changes, then believe them; on failure nothing is believed."""
        try:
            entries = [*(of_episode(e, at=now) for e in changed), *beside]
            await self._ledger.append(entries, durable=True)
            self._episodes.update((episode.alert.fingerprint, episode) for episode in changed)
        finally:
            for episode in changed:
                self._busy.pop(episode.alert.fingerprint, None)
