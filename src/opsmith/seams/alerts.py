"""The alerts seam: who else knows which alerts fire, asked after a downtime."""

from __future__ import annotations

from typing import Protocol


class Alerts(Protocol):
    """Knows the alerts that fire now, by its own account.

    Raises `Unreachable` when it does not answer, `BadAnswer` when it answers nonsense.
    """

    async def active(self) -> bytes:
        """The active alerts as the JSON list of Alertmanager's API, version 2."""
