"""Connections are borrowed and never given back, until the bounded pool is empty."""

from __future__ import annotations

import time

from opsmith_lab.faults.fault import End, Fault, services
from opsmith_lab.shop.process import ShopProcess

# At strength 1 a pool of 16 is gone after half a minute, whatever the load.
SECONDS_A_LEAK = 2.0


def begin(process: ShopProcess, strength: float) -> End:
    """Forget one connection every two seconds; a rarely taken branch lacks its `release`."""
    database = process.database
    last = time.monotonic()

    def forgets() -> bool:
        nonlocal last
        due = time.monotonic() - last > SECONDS_A_LEAK / strength
        if due:
            last = time.monotonic()
        return due

    async def end() -> None:
        database.forgets = None
        await database.take_back()

    database.forgets = forgets
    return end


FAULT = Fault(
    name="pool-exhausted",
    kind="pool.exhausted",
    alert="ShopErrorsHigh",
    summary="Connections leak out of the database pool of a service until none is left.",
    target="service:payments",
    targets=services(store="postgres"),
    begin=begin,
    in_code=True,
)
