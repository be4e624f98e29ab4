"""A thread inside the service computes without end and burns the service's own quota."""

from __future__ import annotations

import threading
import time

from opsmith_lab.faults.fault import End, Fault, services
from opsmith_lab.shop.process import ShopProcess

# At strength 1 it computes for all of each slice, so that the quota alone bounds it.
SLICE_S = 0.05


def begin(process: ShopProcess, strength: float) -> End:
    """Start the thread; below strength 1 it rests for a part of each slice."""
    stop = threading.Event()
    share = min(1.0, strength)

    def burn() -> None:
        while not stop.is_set():
            until = time.perf_counter() + share * SLICE_S
            while time.perf_counter() < until:
                sum(number * number for number in range(500))
            stop.wait((1.0 - share) * SLICE_S)

    async def end() -> None:
        stop.set()

    threading.Thread(target=burn, daemon=True, name=f"{process.name}-report").start()
    return end


FAULT = Fault(
    name="cpu-hog",
    kind="cpu.saturated",
    alert="ShopLatencyHigh",
    summary="A computation inside a service takes all of its processor quota.",
    target="service:recommendation",
    targets=services(),
    begin=begin,
)
