"""`python -m opsmith_lab.network DATA`: a TCP proxy for every edge, each with its own troubles.

The kernel's own traffic shaping needs root and a module that many hosts lack; a proxy that lies
between caller and callee all the time, faulty or not, works everywhere.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from opsmith_lab.layout import Lab, edges

CHUNK_BYTES = 65536


@dataclass(slots=True, kw_only=True)
class Link:
    """The way from a caller to a callee. delay_s: added to each piece that the caller sends."""

    name: str
    target_port: int
    delay_s: float = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one connection of the caller to one of the callee's."""
        try:
            inner = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        callee_reader, callee_writer = inner
        await asyncio.gather(
            self._pass(reader, callee_writer, delayed=True),
            self._pass(callee_reader, writer, delayed=False),
        )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, delayed: bool
    ) -> None:
        """Hand on what is read; pieces under way at the same time wait at the same time."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.get_running_loop().create_task(_deliver(under_way, writer))
        with suppress(OSError):
            while piece := await reader.read(CHUNK_BYTES):
                delay_s = self.delay_s if delayed else 0.0
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


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
def main(data: Path) -> None:
    """Run the network of the lab in the folder DATA."""
    asyncio.run(_run(Lab.load(data)))


async def _run(lab: Lab) -> None:
    from opsmith_lab.faults import orders
    from opsmith_lab.faults.fault import End
    from opsmith_lab.faults.table import FAULTS

    links = {
        f"{caller}->{callee}": Link(name=f"{caller}->{callee}", target_port=lab.ports[callee])
        for caller, callee in edges()
    }
    for name, link in links.items():
        await asyncio.start_server(link.serve, "127.0.0.1", lab.links[name])

    def begin(order: orders.Order) -> End | None:
        on_edge = FAULTS[order.fault].begin_on_edge
        link = links[order.target.removeprefix("edge:")]
        return on_edge(link, order.strength) if on_edge else None

    await orders.follow(lab.data / "faults" / "network.json", begin)


if __name__ == "__main__":
    main()
