"""Shapes of the graph: nodes, links and their weights as JSON."""

from __future__ import annotations

import math

from pydantic import BaseModel

from opsmith.nouns.graph import Link, Node, Subgraph, timestamp


class NodeShape(BaseModel):
    """One node. properties: those of its kind that are known."""

    id: str
    label: str
    name: str
    seen: str
    properties: dict[str, str | float]

    @classmethod
    def of(cls, node: Node) -> NodeShape:
        """Show a node."""
        return cls(
            id=node.id,
            label=str(node.kind),
            name=node.name,
            seen=timestamp(node.seen),
            properties={
                **{name: text for name, text in node.texts.items() if text},
                **{name: one for name, one in node.numbers.items() if math.isfinite(one)},
            },
        )


class LinkShape(BaseModel):
    """One link; parts: what its weight was computed from."""

    type: str
    source: str
    target: str
    weight: float
    parts: dict[str, float]
    origin: str
    seen: str

    @classmethod
    def of(cls, link: Link) -> LinkShape:
        """Show a link."""
        return cls(
            type=str(link.kind),
            source=link.source,
            target=link.target,
            weight=link.weight,
            parts={name: one for name, one in link.parts.items() if math.isfinite(one)},
            origin=link.origin,
            seen=timestamp(link.seen),
        )


class SubgraphShape(BaseModel):
    """A part of the graph. cut: there was more."""

    nodes: list[NodeShape]
    links: list[LinkShape]
    cut: bool

    @classmethod
    def of(cls, part: Subgraph) -> SubgraphShape:
        """Show a part."""
        return cls(
            nodes=[NodeShape.of(node) for node in part.nodes],
            links=[LinkShape.of(link) for link in part.links],
            cut=part.cut,
        )
