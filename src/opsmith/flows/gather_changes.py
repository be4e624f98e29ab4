"""gather_changes: what others know to have been changed, on the ledger once each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from opsmith.audit.states import CHANGE, of_change, to_change
from opsmith.nouns.signals import Change
from opsmith.seams.changes import Changes
from opsmith.seams.ledger import Ledger, Wanted

# A tag that is pushed, or a server that answers again, within a day is still found.
LOOK_BACK = timedelta(days=1)
MOST_READ = 100_000


class Gatherer:
    """Asks one source again and again. name: who is said to have told it.

    A change is the same when its time, entity, kind and words are.
    """

    def __init__(
        self, name: str, source: Changes, *, ledger: Ledger, clock: Callable[[], datetime]
    ) -> None:
        self._name = name
        self._source = source
        self._ledger = ledger
        self._clock = clock
        self._known: set[Change] = set()
        self._read_to = 0

    async def step(self) -> None:
        """Ask once. Raises what the source or the ledger raises, and then nothing was written."""
        now = self._clock()
        start = now - LOOK_BACK
        await self._recall(start)
        # What is dated into the future would be in no window for long.
        told = [change for change in await self._source.since(start) if change.at <= now]
        fresh = [change for change in dict.fromkeys(told) if change not in self._known]
        if fresh:
            entries = [of_change(change, at=now, principal=self._name) for change in fresh]
            await self._ledger.append(entries, durable=False)

    async def _recall(self, start: datetime) -> None:
        """Read what the ledger has got since the last time, whoever told it."""
        wanted = Wanted(kind=CHANGE, after=self._read_to, limit=MOST_READ)
        while records := await self._ledger.read(wanted):
            self._known.update(map(to_change, records))
            self._read_to = records[-1].seq
            wanted = Wanted(kind=CHANGE, after=self._read_to, limit=MOST_READ)
        self._known = {change for change in self._known if change.at >= start}
