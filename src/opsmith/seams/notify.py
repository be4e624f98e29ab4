"""The notify seam: where people read what opsmith found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message about one incident; a later one of the same incident replaces it.

    state: open, mitigated, resolved or confirmed. lines: plain text, strangers' names inside.
    link: where the report is, empty when nobody can reach it. revision: counts from 1.
    at: UTC-aware.
    """

    incident: str
    state: str
    title: str
    lines: tuple[str, ...]
    link: str
    revision: int
    at: datetime


class Notify(Protocol):
    """Delivers notices to one place.

    Raises `Unreachable` when the place does not answer or asks to wait (worth a retry),
    `BadAnswer` when it refuses the message (not worth one).
    """

    async def send(self, notice: Notice, *, handle: str) -> str:
        """Deliver; with the `handle` of an earlier one, in its place if the place can.

        Returns the handle of what now stands there, empty where it cannot be replaced.
        """
