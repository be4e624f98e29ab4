"""The proxy of one edge resets connections under the calls that use them."""

from __future__ import annotations

from opsmith_lab.faults.fault import End, Fault, all_edges
from opsmith_lab.link import Link

# Share of the pieces that a caller sends, at strength 1; a request is one or two pieces.
RESET_SHARE = 0.4


def begin_on_edge(link: Link, strength: float) -> End:
    """Answer some of what the caller sends with a reset, on both sides."""
    link.reset_share = min(1.0, RESET_SHARE * strength)

    async def end() -> None:
        link.reset_share = 0.0

    return end


FAULT = Fault(
    name="connection-resets",
    kind="network.resets",
    alert="ShopErrorsHigh",
    summary="Connections between one caller and one callee are reset in the middle of calls.",
    target="edge:checkout->payments",
    targets=all_edges(),
    begin_on_edge=begin_on_edge,
)
