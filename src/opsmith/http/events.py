"""Events: each change to every listening page that may see it, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias

from opsmith.nouns.incident import Incident
from opsmith.nouns.session import HOUSE, Principal
from opsmith.nouns.sign import Sign

# A page that reads nothing for this many changes is dropped; it reconnects and reloads.
BACKLOG = 256
# A comment line this often keeps proxies (60 s by default) from closing a quiet stream.
BEAT_S = 20.0

Waiting: TypeAlias = asyncio.Queue[str | None]


class Bus:
    """Hands each change to everyone who listens now and sees its tenant's things."""

    def __init__(self) -> None:
        self._listeners: dict[Waiting, Principal] = {}
        self._is_over = False

    @property
    def heard(self) -> bool:
        """Whether anyone listens."""
        return bool(self._listeners)

    async def announce(self, incident: Incident) -> None:
        """Tell all listeners; one that does not keep up is let go."""
        self.say("incident", incident.id)

    async def point_at(self, sign: Sign) -> None:
        """Tell all listeners of an anomaly or an early warning."""
        self.say("sign", sign.id)

    def say(self, event: str, name: str, *, tenant: str = HOUSE) -> None:
        """Tell those who see the tenant's things that the one called `name` has changed."""
        for queue, by in tuple(self._listeners.items()):
            if not by.sees(tenant):
                continue
            try:
                queue.put_nowait(f"event: {event}\ndata: {name}\n\n")
            except asyncio.QueueFull:
                self._let_go(queue)

    def hang_up(self) -> None:
        """Let every listener go; whoever comes now is let go at once."""
        self._is_over = True
        for queue in tuple(self._listeners):
            self._let_go(queue)

    def _let_go(self, queue: Waiting) -> None:
        self._listeners.pop(queue, None)
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(None)

    async def listen(self, by: Principal) -> AsyncIterator[str]:
        """The stream of one listener, until it leaves or is let go."""
        queue: Waiting = asyncio.Queue(BACKLOG)
        self._listeners[queue] = by
        try:
            yield ": welcome\n\n"
            while not self._is_over:
                try:
                    event = await asyncio.wait_for(queue.get(), BEAT_S)
                except TimeoutError:
                    event = ": still here\n\n"
                if event is None:
                    return
                yield event
        finally:
            self._listeners.pop(queue, None)
