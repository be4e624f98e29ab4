"""Quiet times of the live house: which alerts are only written down now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from opsmith.flows.maintenance import Calendar
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.maintenance import Matcher, Window
from opsmith.nouns.session import Principal
from opsmith.seams.ledger import Ledger
from opsmith.wiring.looks import now


class Quiet:
    """The maintenance windows as the live house keeps to them."""

    def __init__(self, ledger: Ledger) -> None:
        self._calendar = Calendar(ledger)

    async def loud(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Those that may open or join an incident: all but what fires inside a window."""
        await self._calendar.refresh()
        at = now()
        return [
            episode
            for episode in episodes
            if episode.state is not EpisodeState.FIRING
            or not self._calendar.covers(episode.alert, at)
        ]

    async def windows(self) -> tuple[Window, ...]:
        """The windows that are on or to come."""
        await self._calendar.refresh()
        return self._calendar.windows(now())

    async def add(
        self,
        matchers: Sequence[Matcher],
        *,
        starts_at: datetime | None,
        minutes: float,
        by: Principal,
        why: str,
    ) -> Window:
        """Set a window, from now when no start is given."""
        length = timedelta(minutes=minutes)
        return await self._calendar.add(
            matchers, starts_at=starts_at or now(), length=length, by=by, why=why
        )

    async def end(self, name: str, *, by: Principal) -> Window:
        """End a window now."""
        return await self._calendar.end(name, now=now(), by=by)
