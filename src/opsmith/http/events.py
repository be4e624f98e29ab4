"""Events: each change of an incident to every listening page, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from opsmith.nouns.incident import Incident
from opsmith.nouns.sign import Sign

# A page that reads nothing for this many changes is dropped; it reconnects and reloads.
BACKLOG = 256
# A comment line this often keeps proxies (60 s by default) from closing a quiet stream.
BEAT_S = 20.0


class Bus:
    """Hands each announced incident and sign to everyone who listens now."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[str | None]] = set()

    async def announce(self, incident: Incident) -> None:
        """Tell all listeners; one that does not keep up is let go."""
        self._say("incident", incident.id)

    async def point_at(self, sign: Sign) -> None:
        """Tell all listeners of an anomaly or an early warning."""
        self._say("sign", sign.id)

    def _say(self, event: str, name: str) -> None:
        for queue in tuple(self._listeners):
            try:
                queue.put_nowait(f"event: {event}\ndata: {name}\n\n")
            except asyncio.QueueFull:
                self._listeners.discard(queue)
                queue.get_nowait()
                queue.put_nowait(None)

    async def listen(self) -> AsyncIterator[str]:
        """The stream of one listener, until it leaves or is let go."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(BACKLOG)
        self._listeners.add(queue)
        try:
            yield ": welcome\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), BEAT_S)
                except TimeoutError:
                    event = ": still here\n\n"
                if event is None:
                    return
                yield event
        finally:
            self._listeners.discard(queue)
