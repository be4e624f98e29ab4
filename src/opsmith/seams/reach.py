"""The reach seam: how an action gets to its target."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from opsmith.errors import Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a target is like now.

    version: changes whenever what the verb would touch changes (a generation, a start time, a
        digest of the content).
    facts: what a person and an undo need to know, by name.
    owner: who else keeps this target as it is (a GitOps tool), empty for nobody.
    members: whom the verb would touch in fact, when the target is a group.
    """

    version: str
    facts: Values
    owner: str = ""
    members: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of it. says: for a person, bounded. facts: what a program needs to know."""

    says: str
    facts: Values


class Reach(Protocol):
    """Carries typed verbs to targets: checked values, never a command line made of text.

    A verb may be sent twice with the same values and does no more than once.
    Raises `NotFound` for a target that is not there, `BadInput` for values that the verb does
    not take, `Unreachable` when the way is closed or the deadline passes, `BadAnswer` when the
    other side answers nonsense or says that it failed.
    """

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether it leads to `target` and carries `verb`, such as `service.restart`, there."""

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """What the verb would meet; changes nothing."""

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Do it; when this returns it has been done."""

    async def aclose(self) -> None:
        """Let go of connections."""


async def in_time(work: Awaitable[T], deadline_s: float, what: str) -> T:
    """The result of `work`. Raises `Unreachable` when the deadline passes first."""
    try:
        async with asyncio.timeout(deadline_s):
            return await work
    except TimeoutError as error:
        raise Unreachable(f"{what} took longer than {deadline_s:g} s.") from error
