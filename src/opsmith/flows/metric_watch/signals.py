"""Signals: raw samples of many series in, what is worth watching of them out.

Counters become rates, the sum and the count of a timer a mean, and requests with a status a
share of failures; the labels of single requests (path, method, status) are summed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from math import isfinite, nan

from opsmith.ingest import metric_names
from opsmith.ingest.label_rules import describe
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.series import Aspect, MetricKind, Series

# Labels that tell how a request ended; and all that tell one request or one core from another,
# not one component from another.
STATUS = (
    *("code", "status", "status_code", "http_status_code", "http_response_status_code"),
    *("response_code", "grpc_code", "grpc_status", "rpc_grpc_status_code", "outcome", "result"),
)
FOLDED = frozenset(
    (
        *STATUS,
        *("method", "http_method", "http_request_method", "grpc_method", "rpc_method", "verb"),
        *("path", "route", "http_route", "uri", "url", "endpoint", "handler", "operation"),
        *("exception", "error", "error_type", "reason", "cause", "cpu", "grpc_type"),
    )
)
# HTTP 5xx, the names and numbers of gRPC's server-side failures, and plain words.
# Source: RFC 9110, section 15.6; gRPC, "Status codes and their use".
_FAILED = re.compile(
    r"(?i)5\d\d|5xx|(server_?)?error|fail(ed|ure)?|exception|time_?out|unknown|internal"
    r"|unavailable|deadline_?exceeded|data_?loss|resource_?exhausted|aborted"
)
# A core that idles is no use of it.
_IDLE = frozenset(("idle", "iowait", "steal", "guest", "guest_nice"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One thing that is watched. key: as it is shown."""

    key: str
    entity: Entity
    aspect: Aspect


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of a signal. time_s: Unix seconds of the scrape; NaN where nothing was told."""

    signal: Signal
    time_s: float
    value: float


class _Part(Enum):
    GAUGE = auto()
    RATE = auto()
    FAILED = auto()
    SUM = auto()
    COUNT = auto()


@dataclass(slots=True, kw_only=True)
class _Group:
    """Series that are summed. told: what each scrape added, by its time; judged: has a status."""

    signals: dict[str, Signal]
    judged: bool = False
    last_s: float = nan
    told: dict[float, dict[_Part, float]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Source:
    """One raw series: where it belongs and what it said last."""

    group: _Group
    part: _Part
    time_s: float = nan
    value: float = nan


class Signals:
    """Turns each fetch into samples of signals; remembers the last sample of each series."""

    def __init__(self) -> None:
        self._sources: dict[tuple[str, tuple[tuple[str, str], ...]], _Source | None] = {}
        self._groups: dict[str, _Group] = {}

    def take(self, raw: Sequence[Series]) -> tuple[Sample, ...]:
        """The new samples, by rising time. raw: as scraped; what was seen before is left out."""
        before = {id(group): group.last_s for group in self._groups.values()}
        touched: dict[int, _Group] = {}
        for one in raw:
            source = self._source(one)
            if source is not None:
                _add(source, one, before.get(id(source.group), nan))
                touched[id(source.group)] = source.group
        found = [sample for group in touched.values() for sample in _told(group)]
        return tuple(sorted(found, key=lambda sample: sample.time_s))

    def forget(self) -> None:
        """Drop what is known of each series; the next fetch finds it anew."""
        self._sources.clear()
        self._groups.clear()

    def _source(self, one: Series) -> _Source | None:
        key = (one.name, one.labels)
        if key not in self._sources:
            self._sources[key] = self._placed(one)
        return self._sources[key]

    def _placed(self, one: Series) -> _Source | None:
        labels = dict(one.labels)
        if "le" in labels or "quantile" in labels or labels.get("mode") in _IDLE:
            return None
        part, base = _part(one.name, labels)
        kept = {k: v for k, v in labels.items() if part is _Part.GAUGE or k not in FOLDED}
        inside = ",".join(f'{name}="{value}"' for name, value in sorted(kept.items()))
        key = f"{base}{{{inside}}}" if inside else base
        timed = part in (_Part.SUM, _Part.COUNT)
        group = self._groups.get(key) or _Group(signals=_signals(key, base, kept, timed=timed))
        self._groups[key] = group
        group.judged |= any(label in labels for label in STATUS)
        return _Source(group=group, part=part)


def _part(name: str, labels: dict[str, str]) -> tuple[_Part, str]:
    """What a series adds to its group, and the name of the group."""
    if metric_names.kind(name, "") is MetricKind.GAUGE:
        return _Part.GAUGE, name
    for ending, part in (("_sum", _Part.SUM), ("_count", _Part.COUNT)):
        if name.endswith(ending):
            return part, name.removesuffix(ending)
    failed = any(_FAILED.fullmatch(labels.get(label, "")) for label in STATUS)
    return (_Part.FAILED if failed else _Part.RATE), name


def _signals(key: str, base: str, labels: dict[str, str], *, timed: bool) -> dict[str, Signal]:
    meaning = describe(base, labels)
    name = base[:100] if base.isprintable() and base else "unnamed"
    entity = meaning.part_of or meaning.entity or Entity(kind=EntityKind.EXTERNAL, name=name)
    aspect = metric_names.aspect(base)
    rate = Aspect.TRAFFIC if timed else aspect
    return {
        "value": Signal(key=key, entity=entity, aspect=aspect),
        "rate": Signal(key=f"{key} a second", entity=entity, aspect=rate),
        "failed": Signal(key=f"{key} failing share", entity=entity, aspect=Aspect.ERRORS),
        "mean": Signal(key=f"{key} mean", entity=entity, aspect=aspect),
    }


def _add(source: _Source, one: Series, group_before_s: float) -> None:
    """Add what is new in a series to its group."""
    for time_s, value in zip(one.times_s.tolist(), one.values.tolist(), strict=True):
        if not isfinite(value) or time_s <= source.time_s:
            continue
        told = source.group.told.setdefault(time_s, {})
        if source.part is _Part.GAUGE:
            told[source.part] = value
        elif (rise := _rise(source, time_s, value, group_before_s)) is not None:
            told[source.part] = told.get(source.part, 0.0) + rise
        source.time_s, source.value = time_s, value
        last = source.group.last_s
        source.group.last_s = time_s if not time_s <= last else last


def _rise(source: _Source, time_s: float, value: float, group_before_s: float) -> float | None:
    """How much a counter grew a second since it was seen last; None when that is unknown.

    A fall is a restart from 0. A series that is new in a group seen in an earlier fetch was
    born with this value: the first failure of a kind counts.
    """
    if isfinite(source.time_s):
        grown = value - source.value
        return (grown if grown >= 0 else value) / (time_s - source.time_s)
    if group_before_s < time_s:
        return value / (time_s - group_before_s)
    return None


def _told(group: _Group) -> Iterator[Sample]:
    """The samples of what a group was told, which is then forgotten."""
    for time_s, parts in group.told.items():
        for what, value in _values(parts, judged=group.judged):
            yield Sample(signal=group.signals[what], time_s=time_s, value=value)
    group.told = {}


def _values(parts: dict[_Part, float], *, judged: bool) -> Iterator[tuple[str, float]]:
    if _Part.GAUGE in parts:
        yield "value", parts[_Part.GAUGE]
    if _Part.RATE in parts or _Part.FAILED in parts:
        failed = parts.get(_Part.FAILED, 0.0)
        total = parts.get(_Part.RATE, 0.0) + failed
        yield "rate", total
        if judged and total > 0:
            yield "failed", failed / total
    if _Part.COUNT in parts:
        yield "rate", parts[_Part.COUNT]
        if _Part.SUM in parts and parts[_Part.COUNT] > 0:
            yield "mean", parts[_Part.SUM] / parts[_Part.COUNT]
