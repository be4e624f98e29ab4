"""maintenance: windows on the ledger, and whether an alert falls into one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from opsmith.audit.states import MAINTENANCE, of_window, to_window
from opsmith.errors import BadInput, NotFound
from opsmith.nouns.maintenance import Matcher, Window
from opsmith.nouns.session import Principal
from opsmith.nouns.signals import Alert
from opsmith.seams.ledger import Ledger, Wanted

# Longer than a move of a data centre; more is a mistake of units, and silences for good.
LONGEST = timedelta(days=31)
PAGE = 10_000


class Calendar:
    """The maintenance windows, also those that other processes set meanwhile."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._windows: dict[str, Window] = {}
        self._read_to = 0

    async def refresh(self) -> None:
        """Read what is new on the ledger."""
        while records := await self._ledger.read(
            Wanted(kind=MAINTENANCE, latest=True, after=self._read_to, limit=PAGE)
        ):
            for record in records:
                self._windows[record.entry.subject] = to_window(record)
            self._read_to = records[-1].seq

    def windows(self, now: datetime) -> tuple[Window, ...]:
        """Those that are on or to come, the next to begin first."""
        coming = (window for window in self._windows.values() if window.ends_at > now)
        return tuple(sorted(coming, key=lambda window: (window.starts_at, window.id)))

    def covers(self, alert: Alert, now: datetime) -> bool:
        """Whether the alert falls into a window."""
        return any(window.covers(alert, now) for window in self._windows.values())

    async def add(
        self,
        matchers: Sequence[Matcher],
        *,
        starts_at: datetime,
        length: timedelta,
        by: Principal,
        why: str = "",
    ) -> Window:
        """Set a window; it is on the ledger when this returns. Raises `BadInput`."""
        if not timedelta(0) < length <= LONGEST:
            raise BadInput(f"A maintenance window lasts at most {LONGEST.days} days.")
        told = " ".join(map(str, matchers))
        digest = hashlib.sha256(f"{told} {starts_at.isoformat()} {by.name}".encode()).hexdigest()
        window = Window(
            id=f"m-{starts_at:%Y%m%d-%H%M}-{digest[:6]}",
            matchers=tuple(matchers),
            starts_at=starts_at,
            ends_at=starts_at + length,
            by=by.name,
            why=why[:500],
        )
        await self._keep(window, at=starts_at, by=by)
        return window

    async def end(self, name: str, *, now: datetime, by: Principal) -> Window:
        """End a window now. Raises `NotFound`, also for one that is over."""
        await self.refresh()
        window = self._windows.get(name)
        if window is None or window.ends_at <= now:
            raise NotFound(f"There is no maintenance window {name[:60]!r} to end.")
        ended = replace(window, ends_at=now)
        await self._keep(ended, at=now, by=by)
        return ended

    async def _keep(self, window: Window, *, at: datetime, by: Principal) -> None:
        await self._ledger.append([of_window(window, at=at, by=by)], durable=True)
        self._windows[window.id] = window
