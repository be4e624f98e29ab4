"""The process of a service ends itself by an accident soon after each start."""

from __future__ import annotations

import asyncio

from opsmith_lab.faults.fault import End, Fault, services
from opsmith_lab.shop.process import ShopProcess

# Life after each start at strength 1; the supervisor starts it again three seconds later.
LIVES_S = 2.0


def begin(process: ShopProcess, strength: float) -> End:
    """Crash after a while, as on a file that the start-up code cannot read."""

    async def crash() -> None:
        await asyncio.sleep(LIVES_S / strength)
        process.give_up("its rules are not readable: unexpected end of file")

    task = asyncio.get_running_loop().create_task(crash())
    process.tasks.add(task)

    async def end() -> None:
        task.cancel()

    return end


FAULT = Fault(
    name="crash-loop",
    kind="crash.loop",
    alert="ShopErrorsHigh",
    summary="The process of a service exits soon after each start, and is started again.",
    target="service:recommendation",
    targets=services(),
    begin=begin,
    in_code=True,
)
