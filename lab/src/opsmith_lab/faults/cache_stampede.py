"""The kept answers of a service are lost again and again; every reader computes anew."""

from __future__ import annotations

import asyncio

from opsmith_lab.faults.fault import End, Fault, services
from opsmith_lab.shop.process import ShopProcess

# Between two losses at strength 1: too short for a kept answer to be of use to anybody.
SECONDS_A_LOSS = 0.5


def begin(process: ShopProcess, strength: float) -> End:
    """Drop what is kept; nothing stops readers of the same key from computing it together."""

    async def lose() -> None:
        while True:
            await process.cache.drop_kept()
            await asyncio.sleep(SECONDS_A_LOSS / strength)

    task = asyncio.get_running_loop().create_task(lose())
    process.tasks.add(task)

    async def end() -> None:
        task.cancel()

    return end


FAULT = Fault(
    name="cache-stampede",
    kind="cache.stampede",
    alert="ShopLatencyHigh",
    summary="What a service keeps in the cache is lost, and all its readers compute it anew.",
    target="service:catalogue",
    targets=tuple(one for one in services(store="valkey") if one != "service:cart"),
    begin=begin,
    in_code=True,
)
