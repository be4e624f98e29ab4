"""The incident bundle: a folder of recorded telemetry, read into a Recording.

Only the fixed names of docs/reference/bundle.md are opened; a truth or label file never is.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from opsmith.errors import BadInput
from opsmith.ingest import (
    alertmanager,
    assemble,
    changes,
    clock,
    files,
    incident_file,
    openmetrics,
    otlp_logs,
    otlp_traces,
    parquet,
    topology,
)
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import BundleCheck, PartCheck, Recording, Window
from opsmith.nouns.series import Series
from opsmith.nouns.signals import Alert, Change
from opsmith.nouns.topology import Edge, Topology

INCIDENT = "incident.yaml"
METRICS = ("metrics.om", "metrics.parquet")
ALERTS = "alerts.json"
LOGS = "logs.jsonl"
TRACES = "traces.jsonl"
TOPOLOGY = "topology.json"
CHANGES = "changes.jsonl"
NAMES = (INCIDENT, *METRICS, ALERTS, LOGS, TRACES, TOPOLOGY, CHANGES)

_SUFFERING = frozenset({"critical", "page", "slo"})
_T = TypeVar("_T")


def read(folder: Path) -> Recording:
    """Everything usable of a bundle; what it lacks or had to drop stands in `missing`.

    Raises `BadInput` when there is no such folder or none of a bundle's files is in it.
    """
    with _without_collector():
        return _Bundle(_checked(folder)).recording()


def check(folder: Path) -> BundleCheck:
    """What a bundle holds and what is wrong with it. Raises `BadInput` as `read` does."""
    bundle = _Bundle(_checked(folder))
    with _without_collector():
        found = bundle.recording()
    return BundleCheck(
        name=found.name,
        window=found.window,
        parts=_parts(found),
        problems=bundle.losses.wrong(),
        lacking=bundle.losses.lacking(),
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Rest the collector of circles: parsed telemetry has none, and walking it costs 40 %."""
    resting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if resting:
            gc.enable()


def _checked(folder: Path) -> Path:
    if not folder.exists():
        raise BadInput(f"{folder}: no such folder.", hint="Name the folder of an incident bundle.")
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder.", hint="A bundle is a folder of files.")
    if not any((folder / f"{name}{end}").exists() for name in NAMES for end in ("", ".gz")):
        raise BadInput(
            f"{folder} holds no file of an incident bundle.",
            hint=f"It needs at least one of {', '.join(NAMES)} (or the same with .gz).",
        )
    return folder


class _Bundle:
    """One bundle while it is read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.losses = Losses()

    def recording(self) -> Recording:
        """Read the parts, in the order in which they explain each other."""
        told = self._incident()
        stated = self._read(TOPOLOGY, "topology", topology.read, Topology())
        naming = Naming((*stated.entities, *told.alerting, *told.candidates))
        series, edges = self._metrics(naming)
        alerts = self._alerts(naming)
        traces = self._read(TRACES, "traces", lambda p, x: otlp_traces.read(p, naming, x), None)
        rows = traces.rows if traces else {}
        logs = self._read(LOGS, "logs", lambda p, x: otlp_logs.read(p, rows, naming, x), None)
        spans = traces.spans if traces else None
        learned: tuple[Edge, ...] = ()
        if traces:
            learned = topology.from_spans(traces.spans, traces.calls, traces.instances)
            clock.check_hosts(traces.spans, self.losses)
        recording = Recording(
            name=told.name or self._folder.resolve().name,
            reference=told.reference,
            alerting=told.alerting or _suffering(alerts),
            candidates=told.candidates,
            alerts=alerts,
            series=series,
            spans=spans,
            logs=logs,
            changes=self._changes(naming),
            topology=topology.merged(stated.entities, (*stated.edges, *learned, *edges)),
        )
        spoken = time_ranges(recording)
        clock.check_ranges(spoken, self.losses)
        window = told.window or _window(alerts, spoken)
        return replace(recording, window=window, missing=self.losses.missing())

    def _incident(self) -> incident_file.IncidentFile:
        nameless = incident_file.IncidentFile(name="")
        return self._read(INCIDENT, "incident", incident_file.read, nameless)

    def _alerts(self, naming: Naming) -> tuple[Alert, ...]:
        without: tuple[Alert, ...] = ()
        return self._read(
            ALERTS, "alerts", lambda path, lost: alertmanager.read(path, naming, lost), without
        )

    def _changes(self, naming: Naming) -> tuple[Change, ...]:
        without: tuple[Change, ...] = ()
        return self._read(
            CHANGES, "changes", lambda path, lost: changes.read(path, naming, lost), without
        )

    def _read(self, name: str, part: str, reader: Callable[[Path, Losses], _T], without: _T) -> _T:
        """Read one file by its reader, or note that there is none."""
        path = files.find(self._folder, name, part, self.losses)
        if path is None:
            self.losses.absent(part, f"no {name} in the bundle.")
            return without
        found = reader(path, self.losses)
        if not found:
            self.losses.absent(part, f"{path.name} holds nothing that can be used.")
        return found

    def _metrics(self, naming: Naming) -> tuple[tuple[Series, ...], tuple[Edge, ...]]:
        readers = dict(zip(METRICS, (openmetrics.read, parquet.read), strict=True))
        found = []
        for name, reader in readers.items():
            path = files.find(self._folder, name, "metrics", self.losses)
            if path is not None:
                found.append(reader(path, self.losses))
        if not found:
            self.losses.absent("metrics", f"no {' or '.join(METRICS)} in the bundle.")
        elif not any(found):
            self.losses.absent("metrics", "the metrics hold nothing that can be used.")
        return assemble.series(tuple(chain.from_iterable(found)), naming)


def _parts(found: Recording) -> tuple[PartCheck, ...]:
    counts = (
        ("metrics", len(found.series), "series"),
        ("alerts", len(found.alerts), "alerts"),
        ("logs", len(found.logs.at_s) if found.logs else 0, "records"),
        ("traces", len(found.spans.start_s) if found.spans else 0, "spans"),
        ("topology", len(found.topology.edges), "edges"),
        ("changes", len(found.changes), "changes"),
    )
    spoken = time_ranges(found)
    if found.changes:
        at = [change.at.timestamp() for change in found.changes]
        spoken["changes"] = (min(at), max(at))
    return tuple(
        PartCheck(part=part, count=count, unit=unit, **_first_last(spoken.get(part)))
        for part, count, unit in counts
    )


def _first_last(ends: tuple[float, float] | None) -> dict[str, datetime]:
    if ends is None:
        return {}
    return {
        name: datetime.fromtimestamp(second, tz=UTC)
        for name, second in zip(("first", "last"), ends, strict=True)
    }


def time_ranges(recording: Recording) -> dict[str, tuple[float, float]]:
    """First and last Unix second of each part that has times."""
    found = {
        "metrics": _ends([series.times_s[[0, -1]] for series in recording.series]),
        "alerts": _ends([np.array([at.timestamp()]) for at in _times(recording.alerts)]),
        "traces": _ends([recording.spans.start_s] if recording.spans else []),
        "logs": _ends([recording.logs.at_s] if recording.logs else []),
    }
    return {part: ends for part, ends in found.items() if ends is not None}


def _ends(times: list[np.ndarray[tuple[int], np.dtype[np.float64]]]) -> tuple[float, float] | None:
    if not times:
        return None
    return min(float(one.min()) for one in times), max(float(one.max()) for one in times)


def _times(alerts: Iterable[Alert]) -> list[datetime]:
    return [at for alert in alerts for at in (alert.starts_at, alert.ends_at) if at is not None]


def _suffering(alerts: Iterable[Alert]) -> tuple[Entity, ...]:
    """The entities of alerts that say that users suffer: an SLO, or severe enough to page."""
    found = dict.fromkeys(
        alert.entity
        for alert in alerts
        if alert.severity.lower() in _SUFFERING or any(name == "slo" for name, _ in alert.labels)
    )
    return tuple(found)


def _window(alerts: tuple[Alert, ...], spoken: dict[str, tuple[float, float]]) -> Window | None:
    """From the first alert to the last thing that any source knows of."""
    starts = [alert.starts_at for alert in alerts if alert.starts_at is not None]
    if not starts:
        return None
    end = datetime.fromtimestamp(max(last for _, last in spoken.values()), tz=UTC)
    return Window(start=min(starts), end=end) if end > min(starts) else None
