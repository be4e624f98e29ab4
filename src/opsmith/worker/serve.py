"""Serving the queue until the process is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal

from opsmith.settings import Settings
from opsmith.wiring.crew import Wish, work

STOPS = (signal.SIGTERM, signal.SIGINT)


def serve(settings: Settings, wish: Wish) -> None:
    """Work until SIGTERM or SIGINT; the tasks in hand are finished or given back.

    Raises `Unreachable` when the queue is not to be had at the start.
    """
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    asyncio.run(_serve(settings, wish))


async def _serve(settings: Settings, wish: Wish) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, stop.set)
    await work(settings, wish, stop=stop)
