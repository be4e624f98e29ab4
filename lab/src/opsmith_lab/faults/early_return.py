"""The code leaves an operation early: no error, but less is done, logged and answered."""

from __future__ import annotations

from opsmith_lab.faults.fault import End, Fault, services
from opsmith_lab.shop.process import ShopProcess

# Share of requests that take the wrong branch at strength 1.
WRONG_SHARE = 0.8


def begin(process: ShopProcess, strength: float) -> End:
    """Make the handlers take their wrong branch."""

    async def end() -> None:
        process.leaves_early = lambda: False

    process.leaves_early = lambda: process.rng.random() < WRONG_SHARE * strength
    return end


FAULT = Fault(
    name="early-return",
    kind="code.early_return",
    alert="ShopPagesIncomplete",
    summary="A service answers before its work is done, without any error.",
    target="service:inventory",
    targets=services(),
    begin=begin,
    in_code=True,
)
