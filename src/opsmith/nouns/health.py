"""Health: how a check stands, since when, and who was told of its outage."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

_SHORT = 10
# While nothing changes, that somebody still looks is told so often.
SAID_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one place was told last: that an outage began, or (ended) that it is over."""

    outage: str
    ended: bool = False
    handle: str = ""
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a check stands.

    failures: seen in a row, and no longer counted once it is down. since: when the first of them
    was seen, of the last outage when all is well (UTC-aware). says: what was seen then.
    looked: when it was looked at, within `SAID_EVERY`; None for never. told: by place.
    """

    name: str
    failures: int = 0
    down: bool = False
    since: datetime | None = None
    says: str = ""
    looked: datetime | None = None
    told: Mapping[str, Told] = field(default_factory=dict)

    @property
    def outage(self) -> str:
        """The id of the outage that it is in, or was in last."""
        text = f"{self.name} {self.since.isoformat() if self.since else ''}"
        return f"outage-{hashlib.sha256(text.encode()).hexdigest()[:_SHORT]}"

    @property
    def state(self) -> str:
        """In one word."""
        if self.looked is None:
            return "unseen"
        return "down" if self.down else "failing" if self.failures else "well"

    def seen(self, *, holds: bool, says: str, at: datetime, most: int) -> Health:
        """After one more look; `most` failures in a row are an outage."""
        after = self._after(holds=holds, says=says, at=at, most=most)
        is_news = after != self or self.looked is None or at - self.looked >= SAID_EVERY
        return replace(after, looked=at) if is_news else self

    def _after(self, *, holds: bool, says: str, at: datetime, most: int) -> Health:
        if holds:
            return replace(self, failures=0, down=False)
        if self.down:
            return self
        failures = self.failures + 1
        since = self.since if self.failures else at
        return replace(self, failures=failures, since=since, says=says, down=failures >= most)

    def with_told(self, place: str, told: Told) -> Health:
        """After a place was told."""
        return replace(self, told={**self.told, place: told})
