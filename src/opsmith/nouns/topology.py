"""Topology: who calls whom, who runs on what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from opsmith.nouns.entity import Entity


class EdgeKind(StrEnum):
    """What joins two entities."""

    CALLS = "calls"
    RUNS_ON = "runs_on"
    INSTANCE_OF = "instance_of"
    CONTAINS = "contains"
    ALIAS_OF = "alias_of"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Edge:
    """`source` calls, runs on, is an instance of, contains or is a view of `target`.

    origin: where the edge was learned (`file`, `traces`, `metrics`).
    """

    source: Entity
    target: Entity
    kind: EdgeKind
    origin: str = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Entities and the edges between them; cycles are allowed, so are lone entities."""

    entities: tuple[Entity, ...] = ()
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """That one source told of an edge, first and last when; UTC-aware."""

    origin: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEdge:
    """An edge with everyone who told of it; its age is that of the last sighting."""

    source: Entity
    target: Entity
    kind: EdgeKind
    sightings: tuple[Sighting, ...]

    @property
    def last(self) -> datetime:
        """When anyone told of it last."""
        return max(one.last for one in self.sightings)
