"""Topology: who calls whom, who runs on what."""

from __future__ import annotations

from dataclasses import dataclass
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
