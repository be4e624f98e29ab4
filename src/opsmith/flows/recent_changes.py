"""recent_changes: the changes on the ledger that may still matter, each read once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from opsmith.audit.states import CHANGE, to_change
from opsmith.nouns.signals import Change
from opsmith.seams.ledger import Ledger, Wanted

PAGE = 10_000


class RecentChanges:
    """Follows the changes on the ledger. keep_for: older ones are let go of."""

    def __init__(self, ledger: Ledger, *, keep_for: timedelta) -> None:
        self._ledger = ledger
        self._keep_for = keep_for
        self._turn = asyncio.Lock()
        self._read_to = 0
        self._kept: tuple[Change, ...] = ()

    async def at(self, now: datetime) -> tuple[Change, ...]:
        """Those that happened since `now` less `keep_for`, in the order they were told."""
        async with self._turn:
            since = now - self._keep_for
            while records := await self._ledger.read(
                Wanted(kind=CHANGE, after=self._read_to, limit=PAGE)
            ):
                found = (*self._kept, *map(to_change, records))
                self._kept = tuple(change for change in found if change.at >= since)
                self._read_to = records[-1].seq
            self._kept = tuple(change for change in self._kept if change.at >= since)
            return self._kept
