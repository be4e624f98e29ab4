"""Bundle writing: what is known of a live incident, kept as a bundle for now and for later."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

import numpy as np
import orjson
import yaml

from opsmith.ingest.bundle import ALERTS, CHANGES, INCIDENT, LOGS, METRICS, TOPOLOGY, TRACES
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Window
from opsmith.nouns.series import Series
from opsmith.nouns.signals import Alert, Change
from opsmith.nouns.topology import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is written of one incident.

    series: raw, as a metrics store gives them (values in the unit of their name).
    traces, logs: OTLP/JSON export requests, one each line, as they were received.
    """

    name: str
    window: Window
    alerting: tuple[Entity, ...] = ()
    series: Sequence[Series] = ()
    alerts: Sequence[Alert] = ()
    traces: Sequence[bytes] = ()
    logs: Sequence[bytes] = ()
    changes: Sequence[Change] = ()
    topology: Topology | None = None


def write(folder: Path, kept: Kept) -> None:
    """Write the bundle `folder` whole, in place of an older one of that name."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / INCIDENT).write_text(_incident(kept), encoding="utf-8")
    (part / ALERTS).write_bytes(orjson.dumps(_webhook(kept.alerts)))
    with (part / METRICS[0]).open("w", encoding="utf-8") as file:
        file.writelines(openmetrics_lines(kept.series))
    _lines(part / TRACES, kept.traces)
    _lines(part / LOGS, kept.logs)
    _lines(part / CHANGES, map(_change, kept.changes))
    if kept.topology is not None:
        (part / TOPOLOGY).write_bytes(orjson.dumps(_topology(kept.topology)))
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def openmetrics_lines(found: Iterable[Series]) -> Iterable[str]:
    """The series as OpenMetrics text; names that are none of that format are left out.

    Each metric's samples stand together, as the format demands; the types are left to the
    reader, who knows the naming rules.
    """
    clock: dict[bytes, list[str]] = {}  # the series of one query share their times
    for one in sorted(found, key=lambda series: (series.name, series.labels)):
        known = ~np.isnan(one.values)
        times_s = one.times_s[known]
        told = clock.setdefault(times_s.tobytes(), [])
        if not told:
            told += [f" {at:.3f}\n" for at in times_s.tolist()]
        key = f"{one.key} "
        values = map(repr, one.values[known].tolist())
        yield "".join([f"{key}{value}{at}" for value, at in zip(values, told, strict=True)])
    yield "# EOF\n"


def _incident(kept: Kept) -> str:
    told: dict[str, object] = {
        "version": 1,
        "name": kept.name,
        "window": {"start": _time(kept.window.start), "end": _time(kept.window.end)},
        "alerting": list(map(str, kept.alerting)),
    }
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True)


def _webhook(alerts: Sequence[Alert]) -> dict[str, object]:
    firing = any(alert.ends_at is None for alert in alerts)
    return {
        "version": "4",
        "status": "firing" if firing else "resolved",
        "alerts": [_alert(alert) for alert in alerts],
    }


def _alert(alert: Alert) -> dict[str, object]:
    labels = dict(alert.labels)
    labels.setdefault("entity", str(alert.entity))
    return {
        "status": "firing" if alert.ends_at is None else "resolved",
        "labels": labels,
        "annotations": dict(alert.annotations),
        "startsAt": _time(alert.starts_at) if alert.starts_at else None,
        "endsAt": _time(alert.ends_at) if alert.ends_at else "0001-01-01T00:00:00Z",
        "fingerprint": alert.fingerprint,
    }


def _change(change: Change) -> bytes:
    told = {
        "at": _time(change.at),
        "entity": str(change.entity),
        "kind": change.kind,
        "summary": change.summary,
        "version": change.version,
    }
    return orjson.dumps({name: value for name, value in told.items() if value is not None})


def _topology(topology: Topology) -> dict[str, object]:
    return {
        "entities": list(map(str, topology.entities)),
        "edges": [
            {"source": str(edge.source), "target": str(edge.target), "kind": edge.kind}
            for edge in topology.edges
        ],
    }


def _lines(path: Path, lines: Iterable[bytes]) -> None:
    rest = iter(lines)
    if (first := next(rest, None)) is not None:
        with gzip.open(path.with_name(f"{path.name}.gz"), "wb", compresslevel=1) as file:
            file.writelines(line.replace(b"\n", b" ") + b"\n" for line in chain((first,), rest))


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
