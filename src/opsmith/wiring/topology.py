"""The wiring of topology: the keeper of the live house, and the one that answers a face."""

from __future__ import annotations

from opsmith.backends.state.files import FileStates
from opsmith.errors import OpsmithError
from opsmith.flows.learn_topology import TopologyKeeper
from opsmith.ingest.topology_metrics import KNOWN, CallMetric
from opsmith.nouns.topology import KnownEdge
from opsmith.seams.metrics import Metrics
from opsmith.settings import Settings
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
