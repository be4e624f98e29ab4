"""Alerts, changes, spans and log lines: what is recorded beside metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect


class AlertSource(StrEnum):
    """Which kind of telemetry an alert was raised on."""

    METRIC = "metric"
    TRACE = "trace"
    LOG = "log"


class Direction(StrEnum):
    """Which way the watched value left its place."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert about one entity.

    starts_at, ends_at: UTC-aware, None when unknown (ends_at also while it fires).
    metric: what was watched: a metric's name, an operation, or a log template.
    caller: the calling side when the alert is about a call; `entity` is then the callee.
    count: how many times it was seen in this recording (log alerts carry their line count).
    """

    fingerprint: str
    name: str
    entity: Entity
    source: AlertSource
    aspect: Aspect
    direction: Direction
    metric: str
    severity: str
    starts_at: datetime | None
    ends_at: datetime | None
    caller: Entity | None = None
    count: int = 1
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


class ChangeKind(StrEnum):
    """What was changed."""

    DEPLOY = "deploy"
    CONFIG = "config"
    SCALE = "scale"
    FLAG = "flag"
    INFRA = "infra"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Somebody changed something. at: UTC-aware."""

    at: datetime
    entity: Entity
    kind: ChangeKind
    summary: str
    version: str | None = None


class SpanSide(StrEnum):
    """Which side of a call a span was recorded on (OpenTelemetry span kind, folded)."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """Spans as columns; row i of every array is one span, in no order.

    trace: (n,) int64 trace numbers; parent: (n,) int64 row of the parent span, -1 for none.
    entity: (n,) int32 into `entities` (who executed it);
    operation: (n,) int32 into `operations`.
    start_s: (n,) float64 Unix seconds; duration_s: (n,) float64 seconds, NaN when unfinished.
    failed: (n,) bool, status ERROR or an HTTP 5xx; side: (n,) int8 into `SIDES`.
    weight: (n,) float64, how many spans this one stands for (1 / sampling rate), above 0.
    attributes: for each span the number of an attribute set in `attribute_sets`, (n,) int32;
    set 0 is the empty one. trace_ids: the senders' names of the traces by their numbers, or empty.
    """

    entities: tuple[Entity, ...]
    operations: tuple[str, ...]
    attribute_sets: tuple[tuple[tuple[str, str], ...], ...]
    trace: NDArray[np.int64]
    parent: NDArray[np.int64]
    entity: NDArray[np.int32]
    operation: NDArray[np.int32]
    start_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]
    failed: NDArray[np.bool_]
    side: NDArray[np.int8]
    weight: NDArray[np.float64]
    attributes: NDArray[np.int32]
    trace_ids: tuple[str, ...] = ()


SIDES: tuple[SpanSide, ...] = (SpanSide.SERVER, SpanSide.CLIENT, SpanSide.INTERNAL)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Logs:
    """Log lines as columns, folded to templates; row i is one line, in no order.

    entity: (n,) int32 into `entities`; template: (n,) int32 into `templates`.
    at_s: (n,) float64 Unix seconds; severity: (n,) int8, OpenTelemetry severity number 0 to 24.
    span: (n,) int64 row in the recording's `Spans`, -1 when the line names none.
    weight: (n,) float64, how many lines this one stands for (1 / sampling rate), above 0.
    examples: one untouched line a template, secrets removed, at most 400 characters.
    """

    entities: tuple[Entity, ...]
    templates: tuple[str, ...]
    examples: tuple[str, ...]
    at_s: NDArray[np.float64]
    entity: NDArray[np.int32]
    template: NDArray[np.int32]
    severity: NDArray[np.int8]
    span: NDArray[np.int64]
    weight: NDArray[np.float64]
