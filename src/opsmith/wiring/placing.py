"""Placing: alerts that are on the ledger, on their way into incidents behind the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from opsmith.errors import OpsmithError
from opsmith.nouns.episode import Episode
from opsmith.wiring.troubles import Troubles

# Between two batches: what comes meanwhile is placed at once, and its incident is written once.
APART_S = 0.2
# After a batch that could not be kept, until it is tried again.
RETRY_S = 1.0


class Placing:
    """Hands batches of changed alerts to `place`, in the order in which they changed.

    What still waits when the process ends is on the ledger: the next start places it.
    """

    def __init__(
        self, place: Callable[[Sequence[Episode]], Awaitable[None]], *, troubles: Troubles
    ) -> None:
        self._place = place
        self._troubles = troubles
        self._waiting: list[Episode] = []
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def tell(self, episodes: Sequence[Episode]) -> None:
        """Have them placed soon; returns at once."""
        self._waiting += episodes
        self._told.set()

    def start(self) -> None:
        """Begin to place."""
        self._task = asyncio.create_task(self._place_forever())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _place_forever(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            batch, self._waiting = self._waiting, []
            try:
                await self._place(batch)
            except OpsmithError as error:
                self._troubles.note("placing", str(error))
                self._waiting = [*batch, *self._waiting]
                self._told.set()
                await asyncio.sleep(RETRY_S)
            else:
                self._troubles.note("placing", "")
                await asyncio.sleep(APART_S)
