"""Troubles: who does not answer as it should, and the steps that are tried again until they do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from opsmith.errors import OpsmithError

# After a failure a step is tried again so soon, then after twice as long, up to its own interval:
# a server that is back is used again long before the next hourly round.
AGAIN_S = 5.0


class Troubles:
    """What does not work now, by the part that says so; empty when all is well."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def note(self, who: str, trouble: str) -> None:
        """Remember what ails `who`; an empty text says that it is well again."""
        if trouble:
            self._words[who] = trouble
        else:
            self._words.pop(who, None)

    def told(self) -> dict[str, str]:
        """All troubles, in words."""
        return dict(self._words)

    def keep_doing(self, who: str, step: Callable[[], Awaitable[None]], *, every_s: float) -> None:
        """Take `step` now and `every_s` after each end, sooner after a failure, until `stop`.

        A failure of the world is noted under the name `who` until a step succeeds; a defect
        of ours ends this part alone, and is noted for good.
        """
        task = asyncio.create_task(self._repeat(who, step, every_s))
        task.add_done_callback(lambda done: self._ended(who, done))
        self._tasks[who] = task

    async def stop(self) -> None:
        """End all that was begun with `keep_doing`."""
        for task in self._tasks.values():
            task.cancel()
        for task in self._tasks.values():
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def _repeat(self, who: str, step: Callable[[], Awaitable[None]], every_s: float) -> None:
        again_s = AGAIN_S
        while True:
            try:
                await step()
            except OpsmithError as error:
                self.note(who, str(error))
                await asyncio.sleep(min(again_s, every_s))
                again_s *= 2
            else:
                self.note(who, "")
                again_s = AGAIN_S
                await asyncio.sleep(every_s)

    def _ended(self, who: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.note(who, f"stopped by a defect of opsmith ({type(error).__name__}: {error})")
