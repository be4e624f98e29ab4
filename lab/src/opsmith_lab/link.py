"""link: one TCP proxy between a caller and a callee, with its own troubles."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 65536


@dataclass(slots=True, kw_only=True)
class Link:
    """The way from a caller to a callee.

    delay_s: added to each piece that the caller sends.
    reset_share: of the pieces that the caller sends, how many reset the connection instead.
    """

    name: str
    target_port: int
    delay_s: float = 0.0
    reset_share: float = 0.0
    rng: random.Random = field(default_factory=random.Random)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one connection of the caller to one of the callee's."""
        try:
            inner = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        callee_reader, callee_writer = inner
        await asyncio.gather(
            self._pass(reader, callee_writer, writer, from_caller=True),
            self._pass(callee_reader, writer, callee_writer, from_caller=False),
        )

    async def _pass(
        self, reader: asyncio.StreamReader, *ends: asyncio.StreamWriter, from_caller: bool
    ) -> None:
        """Hand on what is read; pieces under way at the same time wait at the same time."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.get_running_loop().create_task(_deliver(under_way, ends[0]))
        with suppress(OSError):
            while piece := await reader.read(CHUNK_BYTES):
                if from_caller and self.rng.random() < self.reset_share:
                    for end in ends:
                        _reset(end)
                    break
                delay_s = self.delay_s if from_caller else 0.0
                under_way.put_nowait((time.monotonic() + delay_s, piece))
        under_way.put_nowait((time.monotonic(), b""))
        await delivery


async def _deliver(
    under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
) -> None:
    """Write each piece when it is due, in order, until the empty one that ends them."""
    with suppress(OSError):
        while True:
            due, piece = await under_way.get()
            if not piece:
                break
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            writer.write(piece)
            await writer.drain()
    with suppress(OSError):
        writer.close()
        await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection so that the other side reads "connection reset by peer"."""
    held = writer.get_extra_info("socket")
    if held is not None:
        # Lingering for no time at all makes the kernel send RST in place of FIN (socket(7)).
        with suppress(OSError):
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
