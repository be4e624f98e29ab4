"""A service gives each call hardly any time and repeats it at once, many times over."""

from __future__ import annotations

from opsmith_lab.faults.fault import End, Fault, callers
from opsmith_lab.shop.process import Patience, ShopProcess

# Less than any callee needs (the quickest answers of the shop take 2.9 ms on an idle machine), so
# that it works on what nobody waits for.
ATTEMPT_S = 0.002
ATTEMPTS = 12


def begin(process: ShopProcess, strength: float) -> End:
    """Replace the patience of the service's client, with neither back-off nor a budget."""
    usual = process.patience
    process.patience = Patience(attempt_s=ATTEMPT_S, attempts=max(2, round(ATTEMPTS * strength)))

    async def end() -> None:
        process.patience = usual

    return end


FAULT = Fault(
    name="retry-storm",
    kind="retry.storm",
    alert="ShopErrorsHigh",
    summary="A service repeats its calls at once and many times, more than its callees can serve.",
    target="service:checkout",
    targets=callers(),
    begin=begin,
    in_code=True,
)
