"""Turns: a bounded number of places, handed out fairly between tenants and their principals."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from opsmith.errors import Overloaded, TooMany

MOST_WAITING = 512
# What one principal may have waiting: a share, so that a loop of one script shuts nobody out.
MOST_WAITING_EACH = 128
# Weight of the newest answer in the mean time that one takes.
_NEWEST = 0.2
_FIRST_GUESS_S = 1.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a principal of a tenant."""

    tenant: str
    principal: str


@dataclass(slots=True, eq=False)
class _Waiting:
    caller: Caller
    number: int
    called: asyncio.Event = field(default_factory=asyncio.Event)


class Turns:
    """Lends `places` places; who has fewest of them now, then who had one longest ago, is next."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._running: Counter[Caller] = Counter()
        self._waiting: list[_Waiting] = []
        self._numbers = count(1)
        self._last: dict[str | Caller, int] = {}
        self._mean_s = _FIRST_GUESS_S

    def resize(self, places: int) -> None:
        """Lend so many from now on; those that are lent stay."""
        self._places = places
        self._call_next()

    @property
    def running(self) -> int:
        """Places that are lent."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """Who waits for a place."""
        return len(self._waiting)

    @asynccontextmanager
    async def place(self, caller: Caller, *, within_s: float) -> AsyncIterator[None]:
        """Hold a place. Raises `TooMany` (429) or `Overloaded` (503) rather than wait in vain."""
        if self.running < self._places and not self._waiting:
            self._lend(caller)
        else:
            await self._wait(caller, within_s)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            self._mean_s += _NEWEST * (loop.time() - began - self._mean_s)
            self._give_back(caller)

    async def _wait(self, caller: Caller, within_s: float) -> None:
        self._admit(caller, within_s)
        one = _Waiting(caller, next(self._numbers))
        self._waiting.append(one)
        try:
            async with asyncio.timeout(within_s):
                await one.called.wait()
        except TimeoutError as error:
            self._leave(one)
            raise Overloaded(
                f"No place was free within {within_s:g} s.", retry_after_s=self._wait_s()
            ) from error
        except asyncio.CancelledError:
            self._leave(one)
            raise

    def _admit(self, caller: Caller, within_s: float) -> None:
        """Refuse who would wait in vain. Raises `TooMany` and `Overloaded`."""
        own = sum(one.caller == caller for one in self._waiting)
        if own >= MOST_WAITING_EACH:
            raise TooMany(
                f"You have {own} prompts waiting, which is the most.",
                retry_after_s=self._wait_s(),
            )
        if len(self._waiting) >= MOST_WAITING:
            raise Overloaded(
                f"{len(self._waiting)} prompts wait already.", retry_after_s=self._wait_s()
            )
        alone = not any(one.caller.tenant != caller.tenant for one in self._waiting)
        if alone and self._wait_s() > within_s:
            raise Overloaded(
                f"It would take some {self._wait_s():.0f} s until your turn,"
                f" more than your {within_s:g} s.",
                retry_after_s=self._wait_s(),
            )

    def _wait_s(self) -> float:
        """About how long the last in the line waits."""
        return max(1.0, self._mean_s * (len(self._waiting) + 1) / self._places)

    def _leave(self, one: _Waiting) -> None:
        if one.called.is_set():  # it was called in the very moment it left
            self._give_back(one.caller)
        else:
            self._waiting.remove(one)

    def _lend(self, caller: Caller) -> None:
        turn = next(self._numbers)
        self._running[caller] += 1
        self._last[caller] = self._last[caller.tenant] = turn

    def _give_back(self, caller: Caller) -> None:
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
        self._call_next()
        if not self._waiting and not self._running:
            self._last.clear()  # nobody is there to be fair to

    def _call_next(self) -> None:
        while self._waiting and self.running < self._places:
            one = min(self._waiting, key=self._precedence)
            self._waiting.remove(one)
            self._lend(one.caller)
            one.called.set()

    def _precedence(self, one: _Waiting) -> tuple[int, int, int, int, int]:
        tenant = one.caller.tenant
        of_tenant = sum(n for who, n in self._running.items() if who.tenant == tenant)
        return (
            of_tenant,
            self._running[one.caller],
            self._last.get(tenant, 0),
            self._last.get(one.caller, 0),
            one.number,
        )
