"""remember: what was found of an incident into the graph, and the slice around it back."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from opsmith.localise.graph_nodes import Told
from opsmith.localise.incident_graph import incident_graph
from opsmith.localise.scene import Scene
from opsmith.nouns.diagnosis import Diagnosis
from opsmith.nouns.graph import Subgraph
from opsmith.seams.graph import Around, Graph

# How long the graph remembers what it does not hear of again: a quarter, the span over which
# teams compare incidents; and how often it is swept.
KEEP = timedelta(days=90)
SWEEP_EVERY = timedelta(days=1)


class Memory:
    """Writes incidents to the graph and reads their slices, and lets go of what is old."""

    def __init__(self, graph: Graph, *, keep: timedelta = KEEP) -> None:
        self._graph = graph
        self._keep = keep
        self._swept: datetime | None = None

    async def keep(self, scene: Scene, diagnosis: Diagnosis, told: Told) -> Subgraph:
        """Write what a look found. Raises what the graph raises; then nothing was written."""
        part = await asyncio.to_thread(incident_graph, scene, diagnosis, told)
        await self._graph.write(part)
        if self._swept is None or told.seen - self._swept >= SWEEP_EVERY:
            await self._graph.forget(before=told.seen - self._keep)
            self._swept = told.seen
        return part

    async def slice(self, incident: str, *, hops: int, most: int) -> Subgraph:
        """What lies around an incident; empty when the graph does not know it."""
        return await self._graph.read(Around(start=f"incident:{incident}", hops=hops, most=most))
