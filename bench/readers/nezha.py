"""Reader of Nezha's collections (Yu et al., FSE 2023): metrics, logs and traces as CSV."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Missing, Recording, Window
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.signals import SIDES, Logs, Spans, SpanSide
from opsmith.nouns.topology import Edge, EdgeKind, Topology

# The fault lasts "about 3 minutes" and metric rows end 5 minutes after the injection (README).
WINDOW_S = 300.0
# Rows of the fault-free baseline this far apart belong to different stretches.
LARGEST_STEP_S = 150.0
COLUMNS: dict[str, tuple[Aspect, Unit, float]] = {
    "CpuUsageRate(%)": (Aspect.CPU, Unit.RATIO, 0.01),
    "MemoryUsageRate(%)": (Aspect.MEMORY, Unit.RATIO, 0.01),
    "NetworkReceiveBytes": (Aspect.NETWORK, Unit.BYTES_PER_SECOND, 1.0),
    "NetworkTransmitBytes": (Aspect.NETWORK, Unit.BYTES_PER_SECOND, 1.0),
    "PodServerLatencyP90(s)": (Aspect.LATENCY, Unit.SECONDS, 1.0),
    "PodWorkload(Ops)": (Aspect.TRAFFIC, Unit.PER_SECOND, 1.0),
}
LINE = re.compile(r'"log":"[\d:.]* *(INFO|WARN|ERROR|DEBUG|TRACE|FATAL) +(\S+#\d+)')
MASKED = re.compile(r"TraceID: \w+ SpanID: \w+ |0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+")
# OpenTelemetry log data model, severity numbers.
SEVERITY = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "WARNING": 13, "ERROR": 17, "FATAL": 21}


def read(folder: Path) -> Iterator[tuple[str, Callable[[], Recording]]]:
    """Give every incident of one system's folder, in order of its name."""
    for about in sorted((folder / "incidents").glob("*/incident.json")):
        yield about.parent.name, partial(read_incident, folder, about.parent)


def names(_recording: Recording, entity: Entity) -> str:
    """The service's name."""
    return entity.name


def read_incident(folder: Path, incident: Path) -> Recording:
    """Read one incident beside the fault-free stretches of its system."""
    about = json.loads((incident / "incident.json").read_text())
    start_s = float(about["inject_epoch_utc"])
    baseline = folder / "baseline" / about["date"]
    days = sorted((folder / "baseline").iterdir())
    traces = [file for day in days for file in sorted((day / "trace").glob("*.gz"))]
    lines = [file for day in days for file in sorted((day / "log").glob("*.gz"))]
    spans, logs = read_events(
        tuple(traces + sorted((incident / "trace").glob("*.gz"))),
        tuple(lines + sorted((incident / "log").glob("*.gz"))),
    )
    series = tuple(read_series(baseline / "metric", incident / "metric"))
    return Recording(
        name=incident.name,
        window=Window(start=moment(start_s), end=moment(start_s + WINDOW_S)),
        reference=tuple(quiet(baseline / "metric", traces)),
        candidates=tuple(sorted({one.entity for one in series if one.entity is not None})),
        series=series,
        spans=spans,
        logs=logs,
        topology=read_topology(folder),
        missing=tuple(lacking(incident)),
    )


def service(pod: str) -> Entity:
    """The pod's name less its two hash parts."""
    return Entity.service(pod.rsplit("-", 2)[0])


def moment(at_s: float) -> datetime:
    """Unix seconds as a time."""
    return datetime.fromtimestamp(at_s, tz=UTC)


def lacking(incident: Path) -> Iterator[Missing]:
    """Name the parts that this incident's folder does not have."""
    for folder, part in (("trace", "traces"), ("log", "logs")):
        if not any((incident / folder).glob("*.gz")):
            yield Missing(part=part, what=f"no {part} were recorded in this incident")


def read_topology(folder: Path) -> Topology:
    """Call edges and placement from `dependency.csv`, where there is one."""
    path = folder / "dependency.csv"
    if not path.exists():
        return Topology()
    with path.open(newline="") as handle:
        rows = [(row["Source"], row["Target"]) for row in csv.DictReader(handle)]
    edges = []
    for source, target in rows:
        if target[:1].isdigit():
            host = Entity(kind=EntityKind.HOST, name=target)
            edges.append(Edge(source=Entity.service(source), target=host, kind=EdgeKind.RUNS_ON))
        else:
            edges.append(
                Edge(
                    source=Entity.service(source),
                    target=Entity.service(target),
                    kind=EdgeKind.CALLS,
                )
            )
    found = {edge.source for edge in edges} | {edge.target for edge in edges}
    return Topology(entities=tuple(sorted(found)), edges=tuple(edges))


def quiet(metric: Path, traces: Iterable[Path]) -> Iterator[Window]:
    """The fault-free stretches: runs of the baseline's metric rows, and its trace files."""
    times_s, _ = read_metric(next(iter(sorted(metric.glob("*_metric.csv.gz")))))
    cuts = np.flatnonzero(np.diff(times_s) > LARGEST_STEP_S) + 1
    for run in np.split(times_s, cuts):
        yield Window(start=moment(float(run[0]) - 1.0), end=moment(float(run[-1]) + 1.0))
    for file in traces:
        starts = np.array([int(row[5]) / 1e9 for row in read_spans_once(file)])
        yield Window(start=moment(float(starts.min())), end=moment(float(starts.max()) + 1.0))


def read_series(baseline: Path, incident: Path) -> Iterator[Series]:
    """One series a service and metric: the fault-free rows of the day and the incident's."""
    quiet_files = {service(file.name.partition("_")[0]): file for file in metric_files(baseline)}
    for file in metric_files(incident):
        entity = service(file.name.partition("_")[0])
        during_s, during = read_metric(file)
        times_s, values = during_s, during
        if entity in quiet_files:
            before_s, before = read_metric(quiet_files[entity])
            times_s = np.concatenate([before_s, during_s])
            values = {
                name: np.concatenate([before.get(name, np.full(len(before_s), np.nan)), column])
                for name, column in during.items()
            }
        _, first = np.unique(times_s, return_index=True)
        for name, column in values.items():
            aspect, unit, scale = COLUMNS[name]
            yield Series(
                name=name,
                labels=(("service", entity.name),),
                entity=entity,
                aspect=aspect,
                unit=unit,
                kind=MetricKind.GAUGE,
                times_s=times_s[first],
                values=column[first] * scale,
            )


def metric_files(folder: Path) -> list[Path]:
    """The files of single pods."""
    return sorted(folder.glob("*_metric.csv.gz"))


@lru_cache(maxsize=256)
def read_metric(path: Path) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Times in Unix seconds and the known columns of one pod's file."""
    with gzip.open(path, "rt") as handle:
        header, *rows = csv.reader(handle)
    columns = list(zip(*rows, strict=True))
    # `Time` is UTC; `TimeStamp` is some hours off in one of the systems.
    times_s = np.array(
        [datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp() for text in columns[0]]
    )
    order = np.argsort(times_s, kind="stable")
    values = {
        name: np.array([float(cell) if cell else np.nan for cell in columns[header.index(name)]])
        for name in COLUMNS
        if name in header
    }
    return times_s[order], {name: column[order] for name, column in values.items()}


def read_spans(path: Path) -> list[list[str]]:
    """The rows of one trace file; no field holds a comma or a line's end."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return [row for line in lines[1:] if len(row := line.split(",")) == 8]


def read_events(traces: tuple[Path, ...], lines: tuple[Path, ...]) -> tuple[Spans, Logs]:
    """All spans and log lines of the files, in columns."""
    rows = [row for path in traces for row in read_spans_once(path)]
    place = {row[1]: index for index, row in enumerate(rows)}
    return to_spans(rows, place), to_logs(lines, place)


def read_spans_once(path: Path) -> list[list[str]]:
    """Baseline files serve every incident and are read once; incident files are not kept."""
    return kept_spans(path) if "baseline" in path.parts else read_spans(path)


kept_spans = lru_cache(maxsize=16)(read_spans)


def numbered(values: Iterable[str]) -> tuple[list[str], NDArray[np.int32]]:
    """Distinct values in order of appearance, and each value's number."""
    known: dict[str, int] = {}
    numbers = [known.setdefault(value, len(known)) for value in values]
    return list(known), np.array(numbers, dtype=np.int32)


def to_spans(rows: list[list[str]], place: dict[str, int]) -> Spans:
    """Columns of spans; `place` gives the row of a span id."""
    pods, pod = numbered(row[3] for row in rows)
    entities, entity_of_pod = numbered(service(name).name for name in pods)
    operations, operation = numbered(row[4] for row in rows)
    _, trace = numbered(row[0] for row in rows)
    start_ns = np.array([int(row[5]) for row in rows], dtype=np.int64)
    end_ns = np.array([int(row[6]) for row in rows], dtype=np.int64)
    return Spans(
        entities=tuple(map(Entity.service, entities)),
        operations=tuple(operations),
        attribute_sets=((),),
        trace=trace.astype(np.int64),
        parent=np.array([place.get(row[2], -1) for row in rows], dtype=np.int64),
        entity=entity_of_pod[pod].astype(np.int32) if rows else pod,
        operation=operation,
        start_s=start_ns / 1e9,
        duration_s=(end_ns - start_ns) / 1e9,
        failed=np.zeros(len(rows), dtype=np.bool_),
        side=np.full(len(rows), SIDES.index(SpanSide.INTERNAL), dtype=np.int8),
        weight=np.ones(len(rows)),
        attributes=np.zeros(len(rows), dtype=np.int32),
    )


Line = tuple[str, float, str, str, int]


def to_logs(paths: tuple[Path, ...], place: dict[str, int]) -> Logs:
    """Columns of log lines; a line's template is its level and source line, or its masked text."""
    lines = [line for path in paths for line in read_lines_once(path)]
    entities, entity = numbered(line[0] for line in lines)
    templates, template = numbered(line[3] for line in lines)
    return Logs(
        entities=tuple(map(Entity.service, entities)),
        templates=tuple(templates),
        examples=tuple(templates),
        at_s=np.array([line[1] for line in lines]),
        entity=entity,
        template=template,
        severity=np.array([line[4] for line in lines], dtype=np.int8),
        span=np.array([place.get(line[2], -1) for line in lines], dtype=np.int64),
        weight=np.ones(len(lines)),
    )


def read_lines_once(path: Path) -> list[Line]:
    """As with spans: only the baseline's lines are kept."""
    return kept_lines(path) if "baseline" in path.parts else read_lines(path)


def read_lines(path: Path) -> list[Line]:
    """Service, time, span id, template and severity of every line of a log file."""
    text = gzip.decompress(path.read_bytes()).decode(errors="replace")
    return [to_line(row) for row in csv.reader(io.StringIO(text)) if row[1:2] and row[1].isdigit()]


kept_lines = lru_cache(maxsize=16)(read_lines)


def to_line(row: list[str]) -> Line:
    """Fold one row; stray commas only lengthen the last field."""
    said = ",".join(row[7:])
    found = LINE.search(said)
    if found:
        level, template = found[1], f"{found[1]} {found[2]}"
    else:
        level, message = inner(said)
        template = f"{level} {MASKED.sub('*', message)[:60]}"
    name = service(row[3]).name
    return name, int(row[1]) / 1e9, row[6], template, SEVERITY.get(level, 0)


def inner(said: str) -> tuple[str, str]:
    """Level and message of a line that is JSON inside JSON, or the text as it stands."""
    try:
        record = json.loads(json.loads(said)["log"])
        return str(record["severity"]).upper(), str(record["message"])
    except (ValueError, KeyError, TypeError):
        return "", said
