"""The proxy of one edge holds every piece of data back for a while."""

from __future__ import annotations

from opsmith_lab.faults.fault import End, Fault, all_edges
from opsmith_lab.link import Link

# Delay at strength 1; the service level objective is half a second.
DELAY_S = 0.6


def begin_on_edge(link: Link, strength: float) -> End:
    """Delay what the caller sends; what comes back passes freely."""
    link.delay_s = DELAY_S * strength

    async def end() -> None:
        link.delay_s = 0.0

    return end


FAULT = Fault(
    name="slow-dependency",
    kind="dependency.slow",
    alert="ShopLatencyHigh",
    summary="The network between one caller and one callee becomes slow.",
    target="edge:checkout->inventory",
    targets=all_edges(),
    begin_on_edge=begin_on_edge,
)
