"""The graph of the settings: opened, asked, filled from recorded incidents, written out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from opsmith.errors import NotFound
from opsmith.nouns.graph import Subgraph, Table
from opsmith.seams.graph import Around, CypherGraph
from opsmith.settings import Settings

if TYPE_CHECKING:
    from opsmith.flows.investigate import Investigation

# How far a slice goes and how much of it is shown: three links lead from an incident over its
# signals and components to those that they call, and more than some hundred nodes nobody reads.
HOPS = 3
MOST = 500
# The whole graph is written out up to here; some hundred megabytes of text.
MOST_EXPORTED = 1_000_000


class OpenGraph(CypherGraph, Protocol):
    """A graph that is let go of at the end."""

    async def aclose(self) -> None:
        """Close files and connections."""


def open_graph(settings: Settings) -> OpenGraph:
    """The graph that the settings name; nothing is opened before it is used.

    Raises `MissingExtra` for a URL without its driver, `BadInput` for a wrong one.
    """
    if settings.graph_url is None:
        from opsmith.backends.graph.embedded import EmbeddedGraph

        return EmbeddedGraph(settings.data_dir / "graph.db")
    from opsmith.backends.graph.bolt import BoltGraph

    return BoltGraph(settings.graph_url, password=settings.graph_password)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[OpenGraph]:
    """The graph for one question."""
    graph = open_graph(settings)
    try:
        yield graph
    finally:
        await graph.aclose()


async def ask(settings: Settings, cypher: str, *, most: int, within_s: float) -> Table:
    """Answer an operator's question; nothing is changed by it."""
    async with opened(settings) as graph:
        return await graph.query(cypher, most=most, within=timedelta(seconds=within_s))


async def export(settings: Settings, start: str, *, hops: int) -> Subgraph:
    """A slice, or everything when `start` is empty. Raises `NotFound` for an unknown start."""
    async with opened(settings) as graph:
        most = MOST if start else MOST_EXPORTED
        found = await graph.read(Around(start=start, hops=hops, most=most))
    if start and not found.nodes:
        raise NotFound(f"The graph does not know {start[:80]!r}.")
    return found


async def load(settings: Settings, bundles: Sequence[Path]) -> AsyncIterator[tuple[str, Subgraph]]:
    """Investigate recorded incidents and write each to the graph; name and part as they come."""
    from opsmith.flows.investigate import investigate
    from opsmith.flows.remember import Memory
    from opsmith.localise.graph_nodes import Told
    from opsmith.nouns.diagnosis import PathWeights
    from opsmith.wiring.weights import weights

    fitted = weights(settings)
    async with opened(settings) as graph:
        memory = Memory(graph)
        for folder in bundles:
            found: Investigation = await asyncio.to_thread(
                investigate, folder, fitted=fitted, top=1, path_weights=PathWeights.BOTTLENECK
            )
            told = Told(
                name=found.recording.name,
                title=found.recording.name,
                state="recorded",
                sentence=found.sentence,
                seen=datetime.now(UTC),
            )
            yield told.name, await memory.keep(found.scene, found.diagnosis, told)
