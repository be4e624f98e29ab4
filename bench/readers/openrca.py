"""Alert storms with a typed knowledge graph (metric/, trace/, log/ and `<system>-KG.json`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from opsmith.errors import BadInput
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Missing, Recording
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.nouns.topology import Edge, EdgeKind, Topology
from readers.aspects import aspect_of
from readers.files import json_object, present, rows_of

KINDS: Mapping[str, EntityKind] = {
    "Service": EntityKind.SERVICE,
    "Service_Instance": EntityKind.INSTANCE,
    "Host": EntityKind.HOST,
    "Cache": EntityKind.CACHE,
    "Cache_Instance": EntityKind.CACHE,
    "Database": EntityKind.DATABASE,
}
BLAMED = frozenset({EntityKind.SERVICE, EntityKind.INSTANCE, EntityKind.HOST})
EDGES: Mapping[str, EdgeKind] = {
    "control_flow": EdgeKind.CALLS,
    "data_flow": EdgeKind.CALLS,
    "hosted_on": EdgeKind.RUNS_ON,
    "instance_of": EdgeKind.INSTANCE_OF,
}
SUFFIX = "-KG.json"
PARTS = ("metric/metrics.json", "trace/traces.json", "log/logs.json")
# The fewest cells of a row in each of them.
WIDTHS = (5, 5, 4)

Storms = dict[str, tuple[dict[str, object], Path | None]]


def fits(folder: Path) -> bool:
    """Whether a knowledge graph and the alerts of metrics lie here."""
    return graph_file(folder) is not None and present(folder / PARTS[0]) is not None


def graph_file(folder: Path) -> Path | None:
    """The knowledge graph of the folder, or None."""
    found = sorted(folder.glob(f"*{SUFFIX}*"))
    return found[0] if found else None


def read(folder: Path) -> Iterator[tuple[str, Callable[[], Recording]]]:
    """Give every incident, in the order of the metric alerts."""
    graph = graph_file(folder)
    if graph is None:
        raise BadInput(f"{folder}: no knowledge graph (*{SUFFIX}).")
    storms = read_storms(folder)
    known, topology = read_graph(graph)
    for fault in dict.fromkeys(fault for rows, _ in storms.values() for fault in rows):
        name = f"{graph.name.split(SUFFIX)[0]}/{fault}"
        yield name, partial(read_incident, (name, fault), storms, (known, topology))


def names(_recording: Recording, entity: Entity) -> str:
    """The entity's name in the graph."""
    return entity.name


def read_storms(folder: Path) -> Storms:
    """The rows of each source by fault, and the file they come from (None when it is absent)."""
    storms: Storms = {}
    for part in PARTS:
        file = present(folder / part)
        storms[part] = (json_object(file), file) if file else ({}, None)
    return storms


def read_incident(
    name: tuple[str, str], storms: Storms, graph: tuple[dict[str, Entity], Topology]
) -> Recording:
    """One incident: the alerts of its three sources over the graph."""
    incident, fault = name
    known, topology = graph
    metrics, traces, logs = (
        rows_of(rows.get(fault, []), file or Path(part), width)
        for width, (part, (rows, file)) in zip(WIDTHS, storms.items(), strict=True)
    )
    return Recording(
        name=incident,
        alerts=(
            *metric_alerts(metrics, known),
            *trace_alerts(traces, known),
            *log_alerts(logs, known),
        ),
        topology=topology,
        candidates=tuple(entity for entity in topology.entities if entity.kind in BLAMED),
        missing=tuple(
            Missing(part=part.split("/")[0] + "s", what="no alerts of this source were recorded")
            for part, (_, file) in storms.items()
            if file is None
        ),
    )


def read_graph(path: Path) -> tuple[dict[str, Entity], Topology]:
    """The entities by their names, and the topology of the edges that we know."""
    graph = json_object(path)
    known: dict[str, Entity] = {}
    for node in _dicts(graph.get("nodes"), path):
        name = str(node.get("id"))
        known[name] = Entity(kind=KINDS.get(str(node.get("type")), EntityKind.EXTERNAL), name=name)
    edges = []
    for edge in _dicts(graph.get("edges"), path):
        kind = EDGES.get(str(edge.get("label")))
        source, target = known.get(str(edge.get("source"))), known.get(str(edge.get("target")))
        if kind is not None and source is not None and target is not None:
            edges.append(Edge(source=source, target=target, kind=kind))
    return known, Topology(entities=tuple(known.values()), edges=tuple(edges))


def metric_alerts(rows: list[list[object]], known: Mapping[str, Entity]) -> Iterator[Alert]:
    """Rows of [epoch ms, component, host or null, metric, up | down]."""
    for at, component, _, metric, direction in (row[:5] for row in rows):
        yield Alert(
            fingerprint=f"metric|{component}|{metric}|{direction}",
            name=str(metric),
            entity=entity_of(component, known),
            source=AlertSource.METRIC,
            aspect=aspect_of(str(metric)),
            direction=Direction(str(direction)),
            metric=str(metric),
            severity="",
            starts_at=moment(at),
            ends_at=None,
        )


def trace_alerts(rows: list[list[object]], known: Mapping[str, Entity]) -> Iterator[Alert]:
    """Rows of [epoch ms, caller, callee, operation, PD (slow) | status code]."""
    for at, caller, callee, operation, code in (row[:5] for row in rows):
        yield call_alert(
            entity_of(caller, known),
            entity_of(callee, known),
            str(operation),
            str(code),
            moment(at),
        )


def call_alert(
    caller: Entity | None, callee: Entity, operation: str, code: str, at: datetime | None
) -> Alert:
    """A slow call (`PD`, performance degradation) or one that failed with a status."""
    slow = code == "PD"
    return Alert(
        fingerprint=f"trace|{caller}|{callee}|{operation}|{code}",
        name="slow call" if slow else f"status {code}",
        entity=callee,
        source=AlertSource.TRACE,
        aspect=Aspect.LATENCY if slow else Aspect.ERRORS,
        direction=Direction.UP,
        metric=operation,
        severity="",
        starts_at=at,
        ends_at=None,
        caller=caller,
    )


def log_alerts(rows: list[list[object]], known: Mapping[str, Entity]) -> Iterator[Alert]:
    """Rows of [component, template id, [sample lines], count, severity or null]."""
    for component, template, _, count, *rest in rows:
        yield log_alert(
            entity_of(component, known),
            str(template),
            count=int(str(count)),
            severity="error" if rest and rest[0] else "",
        )


def log_alert(entity: Entity, template: str, *, count: int = 1, severity: str = "") -> Alert:
    """A log template that was seen where it is seldom."""
    return Alert(
        fingerprint=f"log|{entity}|{template}",
        name="log template",
        entity=entity,
        source=AlertSource.LOG,
        aspect=Aspect.ERRORS if severity else Aspect.OTHER,
        direction=Direction.NONE,
        metric=template,
        severity=severity,
        starts_at=None,
        ends_at=None,
        count=count,
    )


def entity_of(name: object, known: Mapping[str, Entity]) -> Entity:
    """The entity of that name; one that the graph lacks is a host (only machines are)."""
    return known.get(str(name)) or Entity(kind=EntityKind.HOST, name=str(name))


def moment(milliseconds: object) -> datetime:
    """UTC time of Unix milliseconds. Raises `BadInput` when it is none."""
    try:
        return datetime.fromtimestamp(int(str(milliseconds)) / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadInput(f"{milliseconds!r:.40} is not a time in milliseconds.") from error


def _dicts(value: object, path: Path) -> list[dict[str, object]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadInput(f"{path}: lists of nodes and edges were expected.")
    return value
