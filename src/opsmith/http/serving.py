"""Serving: the server under the API, which tells those who only listen that it ends."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

# How long requests that are being answered have when opsmith ends.
LAST_ANSWERS_S = 3


class Serving(uvicorn.Server):
    """hang_up: ends the streams that would never end by themselves; called before others wait."""

    def __init__(self, config: uvicorn.Config, *, hang_up: Callable[[], None]) -> None:
        config.timeout_graceful_shutdown = LAST_ANSWERS_S
        super().__init__(config)
        self._hang_up = hang_up

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the listeners go, then end as the server does."""
        self._hang_up()
        await super().shutdown(sockets)
