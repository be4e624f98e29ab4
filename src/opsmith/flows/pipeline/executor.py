"""The executor: so many hands, and a channel before them that holds as many pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeAlias

Piece: TypeAlias = Callable[[], Awaitable[str]]


class Executor:
    """Does pieces with `hands` at once; enter it to start, leave it to stop.

    done: pieces that came to an end. busy_s: how long hands were busy, all together.
    """

    def __init__(self, *, hands: int) -> None:
        self._channel: asyncio.Queue[tuple[Piece, asyncio.Future[str]]] = asyncio.Queue(hands)
        self._count = hands
        self._hands: list[asyncio.Task[None]] = []
        self.done = 0
        self.busy_s = 0.0

    async def __aenter__(self) -> Self:
        """Start the hands."""
        self._hands = [asyncio.create_task(self._work()) for _ in range(self._count)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop them, and what they do."""
        for hand in self._hands:
            hand.cancel()
        await asyncio.gather(*self._hands, return_exceptions=True)

    async def run(self, piece: Piece) -> str:
        """The piece's result, or what it raised. Waits for a place, and for a hand.

        Who gives up waiting stops the piece.
        """
        promise: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await self._channel.put((piece, promise))
        return await promise

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            piece, promise = await self._channel.get()
            if promise.done():  # given up before its turn
                continue
            began = loop.time()
            await _fulfil(piece, promise)
            self.done += 1
            self.busy_s += loop.time() - began


async def _fulfil(piece: Piece, promise: asyncio.Future[str]) -> None:
    """Do a piece; the hand stays well whatever the piece does."""
    task = asyncio.ensure_future(piece())
    promise.add_done_callback(lambda _: task.cancel())
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
    if promise.done():
        return
    if task.cancelled():
        promise.cancel()
    elif (error := task.exception()) is not None:
        promise.set_exception(error)
    else:
        promise.set_result(task.result())
