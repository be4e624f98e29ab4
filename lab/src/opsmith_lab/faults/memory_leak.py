"""Memory is kept and never freed, until the limit kills the process; after its restart again."""

from __future__ import annotations

import asyncio

from opsmith_lab.faults.fault import End, Fault, services
from opsmith_lab.shop.process import ShopProcess

# At strength 1 the 100 MB between a fresh process and its limit last about half a minute.
BYTES_A_SECOND = 3 * 2**20
STEP_S = 0.25


def begin(process: ShopProcess, strength: float) -> End:
    """Keep a further piece of memory four times a second."""
    kept: list[bytearray] = []

    async def leak() -> None:
        while True:
            size = int(BYTES_A_SECOND * STEP_S * strength)
            kept.append(bytearray(b"\x01") * size)
            await asyncio.sleep(STEP_S)

    task = asyncio.get_running_loop().create_task(leak())
    process.tasks.add(task)

    async def end() -> None:
        task.cancel()
        kept.clear()

    return end


FAULT = Fault(
    name="memory-leak",
    kind="memory.leak",
    alert="ShopErrorsHigh",
    summary="A service keeps ever more memory, reaches its limit and is killed, again and again.",
    target="service:cart",
    targets=services(),
    begin=begin,
    in_code=True,
)
