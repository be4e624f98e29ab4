"""A setting is rolled out that halves the database pool of a service; the change is on record."""

from __future__ import annotations

from opsmith_lab.faults.fault import Fault, services
from opsmith_lab.layout import Spec


def configures(spec: Spec, strength: float) -> dict[str, int]:
    """Half of the pool up to strength 1, a quarter at 2.

    The subscriptions of the service hold half of the full pool, and take the halved one whole.
    """
    return {"pool_size": max(1, round(spec.pool_size * 0.5 ** max(1.0, strength)))}


FAULT = Fault(
    name="bad-config",
    kind="config.bad",
    alert="ShopErrorsHigh",
    summary="A changed setting halves the database pool of a service, which needs more.",
    target="service:inventory",
    targets=services(store="postgres"),
    configures=configures,
)
