"""Reader of PetShop (Hardt et al. 2023, arXiv 2311.04806): one graph, five-minute metrics."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording, Window
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.nouns.topology import Edge, EdgeKind, Topology

STEP_S = 300.0
ASPECTS = {
    "latency": (Aspect.LATENCY, Unit.SECONDS),
    "availability": (Aspect.ERRORS, Unit.RATIO),
    "requests": (Aspect.TRAFFIC, Unit.COUNT),
}
# The collection marks views of one thing by what follows its name.
VIEW_MARKS = ("_AWS::", "_client")

Column = tuple[str, str, str]
Table = tuple[list[Column], NDArray[np.float64], NDArray[np.float64]]


def read(folder: Path) -> Iterator[tuple[str, Callable[[], Recording]]]:
    """Give every issue under `dataset/<traffic>/{train,test}`, in order of its name."""
    for target in sorted((folder / "dataset").glob("*/t*/issue_*/target.json")):
        issue = target.parent
        name = "/".join(issue.parts[-3:])
        yield name, partial(read_issue, name, issue)


def names(_recording: Recording, entity: Entity) -> str:
    """The node's name in the graph."""
    return entity.name


def read_issue(name: str, issue: Path) -> Recording:
    """Read one issue with its fault-free baseline and call graph; never its labels."""
    traffic = issue.parent.parent
    topology = read_graph(traffic / "graph.csv")
    columns, baseline_s, baseline = read_table(traffic / "noissue" / "metrics.csv.gz")
    issue_columns, issue_s, rows = read_table(issue / "metrics.csv")
    alert = read_alert(issue / "target.json")
    return Recording(
        name=name,
        window=stretch(issue_s),
        reference=(stretch(baseline_s),),
        alerting=(alert.entity,),
        candidates=tuple(topology.entities),
        alerts=(alert,),
        series=tuple(join(columns, baseline_s, baseline, (issue_columns, issue_s, rows))),
        topology=topology,
    )


def node(name: str) -> Entity:
    """A graph node; what only its caller sees is external."""
    kind = EntityKind.EXTERNAL if name.endswith("_remote") else EntityKind.SERVICE
    return Entity(kind=kind, name=name)


def stretch(times_s: NDArray[np.float64]) -> Window:
    """The window that the rows cover; a row holds the five minutes up to it."""
    return Window(
        start=datetime.fromtimestamp(float(times_s.min()), tz=UTC),
        end=datetime.fromtimestamp(float(times_s.max()) + 1.0, tz=UTC),
    )


def read_alert(path: Path) -> Alert:
    """The alert: the only key of target.json that is not a label."""
    target = json.loads(path.read_text())["target"]
    aspect, _ = ASPECTS[target["metric"]]
    return Alert(
        fingerprint=path.parent.name,
        name=f"{target['metric']} {target['agg']}",
        entity=node(target["node"]),
        source=AlertSource.METRIC,
        aspect=aspect,
        direction=Direction.UP,
        metric=target["metric"],
        severity="critical",
        starts_at=datetime.fromtimestamp(target["timestamp"], tz=UTC),
        ends_at=None,
        labels=(("statistic", target["agg"]),),
    )


@lru_cache(maxsize=8)
def read_graph(path: Path) -> Topology:
    """Call edges, and which nodes are views of one thing."""
    with path.open(newline="") as handle:
        header, *rows = csv.reader(handle)
    entities = tuple(sorted({node(name) for name in header[1:]} | {node(r[0]) for r in rows}))
    edges = []
    for caller, *cells in rows:
        for callee, cell in zip(header[1:], cells, strict=True):
            if float(cell):
                source, target = node(caller), node(callee)
                edges.append(Edge(source=source, target=target, kind=EdgeKind.CALLS))
                if stem(caller) == stem(callee):
                    edges.append(Edge(source=source, target=target, kind=EdgeKind.ALIAS_OF))
    return Topology(entities=entities, edges=tuple(edges))


def stem(name: str) -> str:
    """The name without the mark of its view."""
    for mark in VIEW_MARKS:
        name = name.partition(mark)[0] or name
    return name


@lru_cache(maxsize=8)
def read_table(path: Path) -> Table:
    """Columns, times and values (rows, columns) of a metrics file; an empty cell is NaN."""
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    lines = list(csv.reader(io.StringIO(text.decode())))
    head, body = lines[:3], [row for row in lines[3:] if row and row[0][:1].isdigit()]
    columns = list(zip(head[0][1:], head[1][1:], head[2][1:], strict=True))
    numbers = [[float(cell) if cell else np.nan for cell in row] for row in body]
    table = np.array(numbers, dtype=np.float64)
    return columns, table[:, 0], table[:, 1:]


def join(
    columns: list[Column],
    baseline_s: NDArray[np.float64],
    baseline: NDArray[np.float64],
    issue: Table,
) -> Iterator[Series]:
    """One series a column: issue rows and baseline rows, in order of time."""
    issue_columns, issue_s, rows = issue
    place = {column: index for index, column in enumerate(issue_columns)}
    order = np.argsort(np.concatenate([issue_s, baseline_s]), kind="stable")
    times_s = np.concatenate([issue_s, baseline_s])[order]
    known = set(columns)
    for column in columns + [other for other in issue_columns if other not in known]:
        before = np.full(len(baseline), np.nan)
        if column in known:
            before = baseline[:, columns.index(column)]
        after = rows[:, place[column]] if column in place else np.full(len(rows), np.nan)
        service, metric, statistic = column
        if metric not in ASPECTS:
            continue
        values = np.concatenate([after, before])[order]
        aspect, unit = ASPECTS[metric]
        yield Series(
            name="failed_ratio" if aspect is Aspect.ERRORS else metric,
            labels=(("microservice", service), ("statistic", statistic)),
            entity=node(service),
            aspect=aspect,
            unit=unit,
            kind=MetricKind.GAUGE,
            times_s=times_s,
            # Availability is the percentage that did not fail.
            values=1.0 - values / 100.0 if aspect is Aspect.ERRORS else values,
        )
