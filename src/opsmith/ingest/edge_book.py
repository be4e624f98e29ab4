"""The edge book: what every source told of who calls whom, merged, each edge with its age."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from opsmith.ingest.topology import merged
from opsmith.nouns.entity import Entity
from opsmith.nouns.topology import Edge, EdgeKind, KnownEdge, Sighting, Topology

# What nobody told of for a day is gone: a service that was taken down, or renamed.
KEPT_FOR = timedelta(days=1)
MOST_EDGES = 100_000
FILE = "file"

_EDGES: TypeAdapter[tuple[KnownEdge, ...]] = TypeAdapter(tuple[KnownEdge, ...])

Key = tuple[Entity, Entity, EdgeKind]


class EdgeBook:
    """Edges by what they join, with the sightings of each origin."""

    def __init__(self) -> None:
        self._edges: dict[Key, dict[str, Sighting]] = {}

    def learn(self, edges: Iterable[Edge], *, at: datetime) -> None:
        """Take edges as seen at `at`; beyond the bound new ones are not taken."""
        for edge in edges:
            key = (edge.source, edge.target, edge.kind)
            if key not in self._edges and len(self._edges) >= MOST_EDGES:
                continue
            told = self._edges.setdefault(key, {})
            before = told.get(edge.origin)
            first = before.first if before else at
            last = max(at, before.last) if before else at
            told[edge.origin] = Sighting(origin=edge.origin, first=first, last=last)

    def state(self, edges: Collection[Edge], *, at: datetime) -> None:
        """Take the edges of the file: those that it no longer names are not stated any more."""
        named = {(edge.source, edge.target, edge.kind) for edge in edges}
        for key, told in self._edges.items():
            if key not in named:
                told.pop(FILE, None)
        self.learn(edges, at=at)
        self._tidy()

    def forget(self, *, now: datetime) -> None:
        """Let go of what was not seen for a day; what the file names stays."""
        for told in self._edges.values():
            for origin in [o for o, one in told.items() if now - one.last > KEPT_FOR]:
                if origin != FILE:
                    del told[origin]
        self._tidy()

    def known(self) -> tuple[KnownEdge, ...]:
        """All edges in order, each with its sightings."""
        return tuple(
            KnownEdge(
                source=key[0],
                target=key[1],
                kind=key[2],
                sightings=tuple(told[origin] for origin in sorted(told)),
            )
            for key, told in sorted(self._edges.items())
        )

    def topology(self, *, without: Collection[str] = ()) -> Topology:
        """The edges that someone else than `without` told of."""
        return merged(
            (),
            (
                Edge(source=source, target=target, kind=kind, origin=min(origins))
                for (source, target, kind), told in self._edges.items()
                if (origins := set(told) - set(without))
            ),
        )

    def dump(self) -> bytes:
        """The book as JSON."""
        return _EDGES.dump_json(self.known())

    def load(self, blob: bytes) -> None:
        """Take a dumped book; one of another form is as good as none."""
        try:
            edges = _EDGES.validate_json(blob)
        except ValidationError:
            return
        for one in edges:
            told = self._edges.setdefault((one.source, one.target, one.kind), {})
            told.update({seen.origin: seen for seen in one.sightings})

    def _tidy(self) -> None:
        self._edges = {key: told for key, told in self._edges.items() if told}
