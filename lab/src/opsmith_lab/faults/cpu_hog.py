"""Threads inside the service compute without end and burn the service's own quota."""

from __future__ import annotations

import threading

from opsmith_lab.faults.fault import End, Fault, services
from opsmith_lab.shop.process import ShopProcess

# At strength 1. Python hands its lock on every 5 ms, so each thread adds as much to every step
# that the service itself takes, on top of the time for which the spent quota stops the process.
THREADS = 4


def begin(process: ShopProcess, strength: float) -> End:
    """Start the threads; what they may use together is bounded by the quota alone."""
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            sum(number * number for number in range(500))

    async def end() -> None:
        stop.set()

    for number in range(max(1, round(THREADS * strength))):
        threading.Thread(target=burn, daemon=True, name=f"{process.name}-report-{number}").start()
    return end


FAULT = Fault(
    name="cpu-hog",
    kind="cpu.saturated",
    alert="ShopLatencyHigh",
    summary="A computation inside a service takes all of its processor quota.",
    target="service:recommendation",
    targets=services(),
    begin=begin,
    in_code=True,
)
