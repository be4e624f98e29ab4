"""The state seam: where detectors and models keep what they have learned."""

from __future__ import annotations

from typing import Protocol


class StateStore(Protocol):
    """Keeps one blob of bytes a name, whole or not at all.

    A name is 1 to 100 of a-z, 0-9, `.`, `_`, `-`, beginning with a letter or digit; any other
    is refused with `BadInput`. A reader sees the old blob or the new one, never a mixture, also
    when the writer is killed. Damaged or foreign content raises `HouseError` rather than being
    handed out. What the bytes mean, and their version, is the writer's affair.
    Raises `Unreachable` when the store does not answer.
    """

    async def save(self, name: str, blob: bytes) -> None:
        """Replace what is kept under `name`."""

    async def load(self, name: str) -> bytes | None:
        """What was saved last under `name`, None when nothing was."""

    async def names(self) -> tuple[str, ...]:
        """All names that hold something, sorted."""

    async def remove(self, name: str) -> None:
        """Forget `name`; nothing happens when it holds nothing."""


NAME = r"[a-z0-9][a-z0-9._-]{0,99}"
