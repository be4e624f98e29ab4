"""The alerts seam: who else knows which alerts fire, and streams that tell of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol


class Alerts(Protocol):
    """Knows the alerts that fire now, by its own account.

    Raises `Unreachable` when it does not answer, `BadAnswer` when it answers nonsense.
    """

    async def active(self) -> bytes:
        """The active alerts as the JSON list of Alertmanager's API, version 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a stream. offset: its number at its place, rising."""

    offset: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Messages of one place of a stream (a partition), in order; none: the stream answers."""

    place: str
    messages: tuple[Message, ...]

    @property
    def following(self) -> int:
        """The offset at which reading goes on after this batch."""
        return self.messages[-1].offset + 1


class AlertStream(Protocol):
    """Hands on notifications in the order of each place; it does not remember who read what.

    Raises `Unreachable` when it does not answer.
    """

    def batches(self, start: Mapping[str, int]) -> AsyncGenerator[Batch]:
        """What arrives, for ever.

        start: at which offset each place goes on; others go on from their first message.
        """
