"""Troubles: who does not answer as it should, and the steps that are tried again until they do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from opsmith.errors import OpsmithError


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
        """Take `step` now and `every_s` after each end, until `stop`.

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
        while True:
            try:
                await step()
            except OpsmithError as error:
                self.note(who, str(error))
            else:
                self.note(who, "")
            await asyncio.sleep(every_s)

    def _ended(self, who: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.note(who, f"stopped by a defect of opsmith ({type(error).__name__}: {error})")
