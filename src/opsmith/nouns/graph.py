"""The graph: what was seen of incidents as nodes and links, kept beyond a single one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from opsmith.errors import BadInput
from opsmith.nouns.entity import EntityKind


class NodeKind(StrEnum):
    """What a node stands for; its label in Cypher."""

    INCIDENT = "Incident"
    ALERT = "Alert"
    METRIC = "Metric"
    LOG_TEMPLATE = "LogTemplate"
    LOG_EVENT = "LogEvent"
    CHANGE = "Change"
    SERVICE = "Service"
    INSTANCE = "Instance"
    HOST = "Host"
    COMPONENT = "Component"


class LinkKind(StrEnum):
    """What joins two nodes; its type in Cypher."""

    TRIGGERS = "TRIGGERS"
    CONTAINS = "CONTAINS"
    CORRELATES_WITH = "CORRELATES_WITH"
    CALLS = "CALLS"
    RUNS_ON = "RUNS_ON"
    CHANGED = "CHANGED"


COMPONENTS = (NodeKind.SERVICE, NodeKind.INSTANCE, NodeKind.HOST, NodeKind.COMPONENT)
# In the order of their ids' prefixes, so that the lesser id has the earlier kind.
SIGNALS = (NodeKind.ALERT, NodeKind.METRIC, NodeKind.LOG_TEMPLATE)

# What stands before the first colon of a node's id, and what the node then is.
KIND_OF_PREFIX: Mapping[str, NodeKind] = MappingProxyType(
    {
        "incident": NodeKind.INCIDENT,
        "alert": NodeKind.ALERT,
        "metric": NodeKind.METRIC,
        "template": NodeKind.LOG_TEMPLATE,
        "log": NodeKind.LOG_EVENT,
        "change": NodeKind.CHANGE,
        **{str(kind): NodeKind.COMPONENT for kind in EntityKind},
        str(EntityKind.SERVICE): NodeKind.SERVICE,
        str(EntityKind.INSTANCE): NodeKind.INSTANCE,
        str(EntityKind.HOST): NodeKind.HOST,
    }
)

# The properties of each kind beside id, name and seen. Times are RFC 3339 in UTC with three
# digits of the second, so that their order as text is their order in time in every dialect.
TEXTS: Mapping[NodeKind, tuple[str, ...]] = MappingProxyType(
    {
        NodeKind.INCIDENT: ("state", "startsAt", "cause", "kind", "sentence"),
        NodeKind.ALERT: ("fingerprint", "severity", "startsAt", "endsAt", "metric", "entity"),
        NodeKind.METRIC: ("labels", "unit", "aspect", "changedAt", "entity"),
        NodeKind.LOG_TEMPLATE: ("level", "message", "entity"),
        NodeKind.LOG_EVENT: ("trace_id", "level", "message", "at", "entity"),
        NodeKind.CHANGE: ("at", "kind", "summary", "version", "entity"),
        **dict.fromkeys(COMPONENTS, ("kind",)),
    }
)
NUMBERS: Mapping[NodeKind, tuple[str, ...]] = MappingProxyType(
    {
        NodeKind.INCIDENT: ("confidence",),
        NodeKind.METRIC: ("value", "before"),
        NodeKind.LOG_TEMPLATE: ("count",),
    }
)
# The parts of each weight: what it was computed from.
PARTS: Mapping[LinkKind, tuple[str, ...]] = MappingProxyType(
    {
        LinkKind.TRIGGERS: ("delay_s", "decay", "overlap"),
        LinkKind.CORRELATES_WITH: ("together", "first", "second", "bins", "npmi"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing, known by its id (`alert:FINGERPRINT`, `service:NAME`, …).

    name: for a person. seen: when it was last heard of, UTC-aware, kept to the millisecond.
    texts, numbers: its properties by the names in `TEXTS` and `NUMBERS`; what is left out is
    empty text or NaN.
    """

    id: str
    name: str
    seen: datetime
    texts: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind = kind_of(self.id)
        _check(self.id, self.texts, TEXTS.get(kind, ()))
        _check(self.id, self.numbers, NUMBERS.get(kind, ()))
        _check_time(self.id, self.seen)

    @property
    def kind(self) -> NodeKind:
        """What it stands for."""
        return kind_of(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """`source` triggers, contains, … `target`; one a kind and pair.

    weight: 0 to 1. parts: what the weight was computed from, by the names in `PARTS`.
    origin: where it was learned. CORRELATES_WITH has no direction: the lesser id is the source.
    """

    kind: LinkKind
    source: str
    target: str
    seen: datetime
    weight: float = 1.0
    origin: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (kind_of(self.source), kind_of(self.target)) not in PAIRS[self.kind]:
            raise BadInput(f"No {self.kind} leads from {self.source[:60]} to {self.target[:60]}.")
        _check(self.source, self.parts, PARTS.get(self.kind, ()))
        _check_time(self.source, self.seen)

    @property
    def key(self) -> tuple[LinkKind, str, str]:
        """What makes it the same link."""
        return self.kind, self.source, self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgraph:
    """Nodes and links between them. cut: there was more than was asked for."""

    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The answer to a query: rows of plain values. cut: there were more rows than the limit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    cut: bool = False


def _pairs() -> dict[LinkKind, frozenset[tuple[NodeKind, NodeKind]]]:
    between = {(source, target) for source in COMPONENTS for target in COMPONENTS}
    contents = (*SIGNALS, NodeKind.CHANGE, *COMPONENTS)
    ordered = {(a, b) for a in SIGNALS for b in SIGNALS if SIGNALS.index(a) <= SIGNALS.index(b)}
    return {
        LinkKind.TRIGGERS: frozenset({(NodeKind.METRIC, NodeKind.ALERT)}),
        LinkKind.CONTAINS: frozenset(
            between
            | {(NodeKind.INCIDENT, part) for part in contents}
            | {(whole, part) for whole in COMPONENTS for part in SIGNALS}
            | {(NodeKind.LOG_TEMPLATE, NodeKind.LOG_EVENT)}
        ),
        LinkKind.CORRELATES_WITH: frozenset(ordered),
        LinkKind.CALLS: frozenset(between),
        LinkKind.RUNS_ON: frozenset(between),
        LinkKind.CHANGED: frozenset({(NodeKind.CHANGE, end) for end in COMPONENTS}),
    }


# Which kinds of nodes each kind of link may join.
PAIRS: Mapping[LinkKind, frozenset[tuple[NodeKind, NodeKind]]] = MappingProxyType(_pairs())


def kind_of(node: str) -> NodeKind:
    """What a node is, told from its id. Raises `BadInput` when the id has no known prefix.

    >>> str(kind_of("database:orders"))
    'Component'
    """
    prefix, colon, rest = node.partition(":")
    if not colon or not rest or prefix not in KIND_OF_PREFIX:
        raise BadInput(
            f"{node[:60]!r} is no id of the graph:"
            f" it is PREFIX:NAME with PREFIX in {', '.join(KIND_OF_PREFIX)}."
        )
    return KIND_OF_PREFIX[prefix]


def timestamp(at: datetime | None) -> str:
    """A time as the graph keeps it, empty for None.

    >>> timestamp(datetime(2026, 1, 2, tzinfo=UTC))
    '2026-01-02T00:00:00.000Z'
    """
    if at is None:
        return ""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check(name: str, given: Mapping[str, object], allowed: tuple[str, ...]) -> None:
    wrong = [key for key in given if key not in allowed]
    if wrong:
        raise BadInput(f"{name[:60]} has no property {wrong[0]!r} in the graph.")


def _check_time(name: str, at: datetime) -> None:
    if at.tzinfo is None:
        raise BadInput(f"{name[:60]}: a time in the graph has its zone.")
