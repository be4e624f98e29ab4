"""Series: one metric of one entity over time, and what its values mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.nouns.entity import Entity


class MetricKind(StrEnum):
    """How the numbers of a metric come about."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Aspect(StrEnum):
    """What side of its entity a metric measures (RED and USE methods, plus what faults need)."""

    LATENCY = "latency"
    ERRORS = "errors"
    TRAFFIC = "traffic"
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    NETWORK = "network"
    POOL = "pool"
    QUEUE = "queue"
    CACHE = "cache"
    RESTARTS = "restarts"
    FILES = "files"
    OTHER = "other"


class Unit(StrEnum):
    """The unit of a metric's values once ingest has made them comparable."""

    SECONDS = "seconds"
    RATIO = "ratio"
    BYTES = "bytes"
    PER_SECOND = "per_second"
    BYTES_PER_SECOND = "bytes_per_second"
    COUNT = "count"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a metric is about, told from its name and labels.

    part_of: the service that `entity` is an instance of, None when it is none.
    scale: the factor that brings the raw values to `unit`.
    """

    entity: Entity | None
    part_of: Entity | None
    aspect: Aspect
    unit: Unit
    scale: float
    kind: MetricKind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One metric's samples.

    times_s: (n,) float64, Unix seconds, strictly rising.
    values: (n,) float64 in `unit`; NaN is a gap, infinities are not allowed.
    A counter's values are raw and rise but for resets; rates are made by who needs them.
    """

    name: str
    labels: tuple[tuple[str, str], ...]
    entity: Entity | None
    aspect: Aspect
    unit: Unit
    kind: MetricKind
    times_s: NDArray[np.float64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.times_s.shape != self.values.shape or self.times_s.ndim != 1:
            raise BadInput(f"Series {self.name}: times and values differ in shape.")

    @property
    def key(self) -> str:
        """The series in the field's notation, see `key_of`."""
        return key_of(self.name, self.labels)


def key_of(name: str, labels: Iterable[tuple[str, str]]) -> str:
    """A series in the field's notation: `name{label="value"}`, labels sorted.

    Source: Prometheus exposition format, escaping of label values.
    """
    inside = ",".join(f'{label}="{_escape(value)}"' for label, value in sorted(labels))
    return f"{name}{{{inside}}}" if inside else name


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
