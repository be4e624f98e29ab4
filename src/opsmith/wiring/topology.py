"""The wiring of topology: the keeper of the live house, and the one that answers a face."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing

from opsmith.backends.state.files import FileStates
from opsmith.errors import OpsmithError
from opsmith.flows.learn_topology import TopologyKeeper
from opsmith.ingest.topology_metrics import KNOWN, CallMetric
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.graph import LinkKind, Subgraph
from opsmith.nouns.topology import Edge, EdgeKind, KnownEdge, Topology
from opsmith.seams.graph import Around
from opsmith.seams.metrics import Metrics
from opsmith.settings import Settings
from opsmith.wiring.graph import HOPS, MOST, open_graph
from opsmith.wiring.looks import now
from opsmith.wiring.source_file import read
from opsmith.wiring.sources import open_metrics


def keeper(settings: Settings, metrics: Metrics | None) -> TopologyKeeper:
    """Who learns the topology of these settings. Raises `BadInput` when the file is wrong."""
    told = read(settings.sources_file).topology
    own = [
        CallMetric(metric=one.metric, caller=one.caller, callee=one.callee)
        for one in told.call_metrics
    ]
    return TopologyKeeper(
        metrics=metrics,
        calls=(*KNOWN, *own),
        file=told.file,
        store=FileStates(settings.data_dir / "sources"),
        clock=now,
    )


async def topology(settings: Settings) -> tuple[tuple[KnownEdge, ...], tuple[str, ...]]:
    """The edges known to this data folder and to what can be asked now, and what failed."""
    metrics = open_metrics(settings)
    try:
        known = keeper(settings, metrics)
        try:
            await known.step(keep=False)
        except OpsmithError as error:
            return known.known(), (str(error),)
        return known.known(), ()
    finally:
        if metrics is not None:
            await metrics.aclose()


# The kinds of entities that call, are called, or are run on.
_WALKED = (
    EntityKind.SERVICE,
    EntityKind.DATABASE,
    EntityKind.CACHE,
    EntityKind.QUEUE,
    EntityKind.EXTERNAL,
    EntityKind.INSTANCE,
    EntityKind.HOST,
)
_LINKS = {LinkKind.CALLS: EdgeKind.CALLS, LinkKind.RUNS_ON: EdgeKind.RUNS_ON}


async def around(settings: Settings, names: Iterable[str]) -> tuple[Topology, tuple[str, ...]]:
    """What is known of who calls whom, and what failed.

    What metrics, traces and the topology file told of everything, and what the graph keeps of
    past incidents around these names.
    """
    known, lacks = await topology(settings)
    edges = {
        Edge(source=one.source, target=one.target, kind=one.kind, origin=seen.origin)
        for one in known
        for seen in one.sightings
    }
    if settings.graph_url is not None or (settings.data_dir / "graph.db").exists():
        try:
            edges |= await _remembered(settings, names)
        except OpsmithError as error:
            lacks = (*lacks, str(error))
    return Topology(edges=tuple(sorted(edges))), lacks


async def _remembered(settings: Settings, names: Iterable[str]) -> set[Edge]:
    async with aclosing(open_graph(settings)) as graph:
        parts = [
            await graph.read(Around(start=f"{kind}:{name}", hops=HOPS, most=MOST))
            for name in names
            for kind in _WALKED
        ]
    return {edge for part in parts for edge in _edges(part)}


def _edges(part: Subgraph) -> set[Edge]:
    return {
        Edge(
            source=Entity.parse(link.source),
            target=Entity.parse(link.target),
            kind=_LINKS[link.kind],
            origin=link.origin or "graph",
        )
        for link in part.links
        if link.kind in _LINKS
    }
