"""Alert storms without times, with a graph of instances (raw/*.json)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from opsmith.errors import BadInput
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.nouns.topology import Edge, EdgeKind, Topology
from readers.aspects import aspect_of
from readers.files import json_object, present, rows_of
from readers.openrca import call_alert, log_alert

PARTS = ("metrics", "traces", "logs", "nodes", "edges")
# The caller of a call that came from outside.
OUTSIDE = "-1"


def fits(folder: Path) -> bool:
    """Whether the five raw files lie here."""
    return all(present(folder / "raw" / f"{part}.json") for part in PARTS)


def read(folder: Path) -> Iterator[tuple[str, Callable[[], Recording]]]:
    """Give every incident, in the order of the instance lists."""
    files = [present(folder / "raw" / f"{part}.json") for part in PARTS]
    parts = dict(zip(PARTS, (json_object(file) if file else {} for file in files), strict=True))
    for fault in parts["nodes"]:
        name = f"{folder.resolve().name}/{fault}"
        yield name, partial(read_incident, name, fault, parts)


def names(_recording: Recording, entity: Entity) -> str:
    """The instance's name."""
    return entity.name


def read_incident(name: str, fault: str, parts: Mapping[str, dict[str, object]]) -> Recording:
    """One incident: its alerts and the graph of its instances."""
    rows = {part: parts[part].get(fault, []) for part in PARTS}
    here = Path("raw")
    listed = rows["nodes"]
    if not isinstance(listed, list):
        raise BadInput(f"{name}: its instances are no list.")
    instances = tuple(instance(each) for each in listed)
    return Recording(
        name=name,
        alerts=(
            *metric_alerts(rows_of(rows["metrics"], here / "metrics.json", 3)),
            *trace_alerts(rows_of(rows["traces"], here / "traces.json", 4)),
            *(
                log_alert(instance(each), str(template))
                for each, template, *_ in rows_of(rows["logs"], here / "logs.json", 2)
            ),
        ),
        topology=topology_of(instances, rows_of(rows["edges"], here / "edges.json", 2)),
        candidates=instances,
    )


def instance(name: object) -> Entity:
    """An instance by its name."""
    return Entity(kind=EntityKind.INSTANCE, name=str(name))


def topology_of(instances: tuple[Entity, ...], pairs: list[list[object]]) -> Topology:
    """The calls between instances, and the service of each (its name less its number)."""
    services = {entity: Entity.service(re.sub(r"-\d+$", "", entity.name)) for entity in instances}
    calls = set()
    for first, second in (pair[:2] for pair in pairs):
        source, target = int(str(first)), int(str(second))
        if not (0 <= source < len(instances) and 0 <= target < len(instances)):
            raise BadInput(f"An edge names instance {max(source, target)} of {len(instances)}.")
        if source != target:
            calls.add((instances[source], instances[target]))
    return Topology(
        entities=(*instances, *dict.fromkeys(services.values())),
        edges=(
            *(Edge(source=a, target=b, kind=EdgeKind.CALLS) for a, b in sorted(calls)),
            *(Edge(source=a, target=b, kind=EdgeKind.INSTANCE_OF) for a, b in services.items()),
        ),
    )


def metric_alerts(rows: list[list[object]]) -> Iterator[Alert]:
    """Rows of [instance, metric, up | down]."""
    for name, metric, direction in (row[:3] for row in rows):
        yield Alert(
            fingerprint=f"metric|{name}|{metric}|{direction}",
            name=str(metric),
            entity=instance(name),
            source=AlertSource.METRIC,
            aspect=aspect_of(str(metric)),
            direction=Direction(str(direction)),
            metric=str(metric),
            severity="",
            starts_at=None,
            ends_at=None,
        )


def trace_alerts(rows: list[list[object]]) -> Iterator[Alert]:
    """Rows of [caller, callee, operation, PD (slow) | status]."""
    for caller, callee, operation, code in (row[:4] for row in rows):
        calling = None if str(caller) in {OUTSIDE, ""} else instance(caller)
        called = instance(callee) if str(callee) else calling
        if called is not None:
            yield call_alert(calling, called, str(operation), str(code), None)
