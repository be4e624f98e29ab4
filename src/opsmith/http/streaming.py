"""What routes to a model share: text it may see, a status until the first word, who hangs up."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from typing import TypeVar

from fastapi import Request

from opsmith.errors import AskError
from opsmith.wiring.llm import Told

EVENTS = "text/event-stream"
_ALLOWED_CONTROLS = frozenset("\n\r\t")

Found = TypeVar("Found")


class Gone(AskError):
    """The caller left before the answer was there."""

    # For the ledger; nobody is left to read it.
    http_status = 400


def readable(text: str) -> str:
    """The text, if a model may see it. Raises `ValueError`."""
    for place, character in enumerate(text):
        bad = unicodedata.category(character) in {"Cc", "Cs"}
        if bad and character not in _ALLOWED_CONTROLS:
            raise ValueError(f"U+{ord(character):04X} at {place} is a control character")
    return text


async def opening(told: AsyncGenerator[Told, None]) -> Sequence[Told]:
    """Up to the first word: what fails until then still gets a status of its own."""
    first = await anext(told)
    return first, await anext(told)


async def resumed(
    first: Sequence[Told], told: AsyncGenerator[Told, None]
) -> AsyncGenerator[Told, None]:
    """The whole stream, after its opening was taken from it."""
    async with aclosing(told):
        for one in first:
            yield one
        async for one in told:
            yield one


async def unless_left(request: Request, work: Awaitable[Found]) -> Found:
    """The result of the work, which is cancelled when the caller hangs up."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    """Return when the caller hangs up; the body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
