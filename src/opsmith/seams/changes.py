"""The changes seam: who else knows what was changed, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from opsmith.nouns.signals import Change


class Changes(Protocol):
    """Knows what was changed.

    Raises `Unreachable` when it does not answer, `BadAnswer` when it answers nonsense,
    `BadInput` when it cannot be asked as it is configured.
    """

    async def since(self, start: datetime) -> tuple[Change, ...]:
        """The changes at or after `start` (UTC-aware), oldest first; the same ones each time."""
