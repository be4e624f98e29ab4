"""`python -m opsmith_lab.network DATA`: a TCP proxy for every edge, each with its own troubles.

The kernel's own traffic shaping needs root and a module that many hosts lack; a proxy that lies
between caller and callee all the time, faulty or not, works everywhere.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import click

from opsmith_lab.faults import orders
from opsmith_lab.faults.fault import End
from opsmith_lab.faults.table import FAULTS
from opsmith_lab.layout import Lab, edges
from opsmith_lab.link import Link


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
def main(data: Path) -> None:
    """Run the network of the lab in the folder DATA."""
    asyncio.run(_run(Lab.load(data)))


async def _run(lab: Lab) -> None:
    links = {
        f"{caller}->{callee}": Link(
            name=f"{caller}->{callee}",
            target_port=lab.ports[callee],
            rng=random.Random(f"{lab.seed}:{caller}->{callee}"),
        )
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
