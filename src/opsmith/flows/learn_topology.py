"""learn_topology: who calls whom by all that tell it, kept over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from opsmith.errors import BadInput, OpsmithError
from opsmith.ingest import topology as topology_file
from opsmith.ingest.edge_book import FILE, EdgeBook
from opsmith.ingest.losses import Losses
from opsmith.ingest.topology_metrics import CallMetric, edges
from opsmith.nouns.topology import KnownEdge, Topology
from opsmith.seams.metrics import Metrics
from opsmith.seams.state import StateStore

KEPT_AS = "topology"
TRACES = "traces"


class TopologyKeeper:
    """Learns edges from a file, from metrics and from what investigations saw in traces.

    calls: which metrics tell calls. file: a `topology.json`, None for none.
    know: is told the merged topology whenever it was learned anew.
    """

    def __init__(
        self,
        *,
        metrics: Metrics | None,
        calls: Sequence[CallMetric],
        file: Path | None,
        store: StateStore,
        clock: Callable[[], datetime],
    ) -> None:
        self._metrics = metrics
        self._calls = tuple(calls)
        self._file = file
        self._store = store
        self._clock = clock
        self._book = EdgeBook()
        self._loaded = False
        self.know: Callable[[Topology], None] = lambda _: None

    async def load(self) -> None:
        """Read back what was known; once."""
        if not self._loaded and (kept := await self._store.load(KEPT_AS)) is not None:
            self._book.load(kept)
        self._loaded = True

    async def step(self, *, keep: bool = True) -> None:
        """Ask file and metrics once. Raises the first failure, after all were asked."""
        await self.load()
        failed: OpsmithError | None = None
        for learn in (self._from_file, self._from_metrics):
            try:
                await learn()
            except OpsmithError as error:
                failed = failed or error
        self._book.forget(now=self._clock())
        self.know(self._book.topology())
        if keep:
            await self._store.save(KEPT_AS, self._book.dump())
        if failed is not None:
            raise failed

    def learn(self, found: Topology) -> None:
        """Take what an investigation saw; what its bundle stated is no news."""
        seen = [edge for edge in found.edges if edge.origin != FILE]
        self._book.learn(seen, at=self._clock())
        self.know(self._book.topology())

    def known(self) -> tuple[KnownEdge, ...]:
        """Every edge with its sources and ages."""
        return self._book.known()

    def stated(self) -> Topology | None:
        """What belongs in a bundle: all but what its own traces tell; None for nothing."""
        found = self._book.topology(without=(TRACES,))
        return found if found.edges else None

    async def _from_file(self) -> None:
        if self._file is None:
            return
        if not self._file.is_file():
            raise BadInput(f"{self._file}: there is no such topology file.")
        losses = Losses()
        told = await asyncio.to_thread(topology_file.read, self._file, losses)
        self._book.state(told.edges, at=self._clock())
        if wrong := losses.wrong():
            raise BadInput(f"{wrong[0].what}")

    async def _from_metrics(self) -> None:
        if self._metrics is None:
            return
        now = self._clock()
        answers = await asyncio.gather(
            *(self._metrics.query(call.question(), at=now) for call in self._calls)
        )
        for call, found in zip(self._calls, answers, strict=True):
            self._book.learn(edges(found, call), at=now)
