"""A new version is rolled out, and some of its requests fail; the change is on record."""

from __future__ import annotations

from opsmith_lab.faults.fault import End, Fault, services
from opsmith_lab.shop.process import ShopProcess

# Share of requests that take the new, broken branch at strength 1.
FAILING_SHARE = 0.6


def begin(process: ShopProcess, strength: float) -> End:
    """Fail where the new version reads a field that not every request has."""

    def broken() -> None:
        if process.rng.random() < FAILING_SHARE * strength:
            fields: dict[str, str] = {}
            process.log.info("discount rule %s", fields["discount"])

    async def end() -> None:
        process.before.remove(broken)

    process.before.append(broken)
    return end


FAULT = Fault(
    name="bad-deploy",
    kind="deploy.bad",
    alert="ShopErrorsHigh",
    summary="A new version of a service is deployed and fails many of its requests.",
    target="service:catalogue",
    targets=services(),
    begin=begin,
    deploys=True,
)
