"""The graph seam: what was seen of incidents, linked, and asked in Cypher."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from opsmith.nouns.graph import Subgraph, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Which part of the graph to read.

    start: id of a node; empty for the whole graph. hops: how many links away, 1 or more.
    most: how many nodes at most, the nearest first. Once half of them are found no further hop
    is begun: it would be cut almost at once, and cost more than all before it.
    """

    start: str = ""
    hops: int = 3
    most: int = 500

    @property
    def enough(self) -> int:
        """With more nodes than this no further hop is begun."""
        return self.most // 2


class Graph(Protocol):
    """Keeps nodes by id and links by kind, source and target.

    Raises `Unreachable` when the store does not answer or stays locked, `HouseError` when it
    is damaged.
    """

    async def write(self, part: Subgraph) -> None:
        """Add nodes and links, or put them in the place of older ones, all or none.

        A part of more than some thousands may be written in pieces, nodes first; when that is
        broken off the pieces stay, and writing the part again completes it.
        Both ends of a link are in `part` or in the graph already; a link without is left out.
        An incident in `part` contains afterwards what `part` says, and nothing else.
        """

    async def read(self, wanted: Around) -> Subgraph:
        """The nodes within reach of `start` by links of any direction, and the links walked.

        A link between two nodes that are both `hops` away was not walked. The walk does not go
        on through an incident other than the start. Empty when `start` is not known.
        """

    async def forget(self, *, before: datetime) -> int:
        """Drop nodes and links that were not heard of since; how many nodes."""

    async def count(self) -> tuple[int, int]:
        """How many nodes and how many links there are."""


class CypherGraph(Graph, Protocol):
    """A graph that answers an operator's questions in openCypher."""

    async def query(self, cypher: str, *, most: int, within: timedelta) -> Table:
        """Ask without changing anything: at most `most` rows, given up after `within`.

        Nodes and links are given as objects of their properties, with `_label`.
        Raises `BadInput` when the statement is wrong, would write, or takes too long.
        """
