"""Draft: a task being made, still open to change."""

from __future__ import annotations

from dataclasses import dataclass, field

from opsmith.parse.slots import Slots


@dataclass(slots=True, kw_only=True)
class Draft:
    """A task being made.

    unknown: names in its words that no catalogue knows, or that several share.
    branch: the task whose outcome decides about it, and the finding (None for success).
    unclear: what stands in the way besides missing slots: `condition` or `schedule`.
    """

    intent: str
    slots: Slots
    needs: set[int] = field(default_factory=set)
    text: str = ""
    unknown: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    branch: tuple[int, str | None] | None = None
