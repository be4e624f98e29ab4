"""Graph nodes: what a recording holds, each as the node that stands for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from opsmith.localise.onset import Shifts
from opsmith.localise.periods import moment
from opsmith.nouns.diagnosis import Diagnosis
from opsmith.nouns.entity import Entity
from opsmith.nouns.graph import Node, timestamp
from opsmith.nouns.series import Series
from opsmith.nouns.signals import Alert, Change, Logs, Spans

# OpenTelemetry's severity number of WARN; what is below speaks of normal work.
WARN = 13
MOST_TEMPLATES = 40
_LEVELS = ((21, "fatal"), (17, "error"), (WARN, "warn"), (9, "info"), (5, "debug"), (1, "trace"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of the incident itself. seen: when it was looked into, UTC-aware."""

    name: str
    title: str
    state: str
    sentence: str
    seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Loud:
    """A template of warnings of one entity, its node, and a line that shows it.

    number: of the template, entity: of the entity, both in the recording's `Logs`.
    """

    node: Node
    line: Node
    owner: Entity
    number: int
    entity: int


def incident_node(diagnosis: Diagnosis, told: Told) -> Node:
    """The incident with its likeliest cause."""
    cause = diagnosis.causes[0] if diagnosis.causes else None
    texts = {
        "state": told.state,
        "startsAt": timestamp(diagnosis.onset),
        "cause": str(cause.entity) if cause else "",
        "kind": str(cause.kind) if cause else "",
        "sentence": told.sentence,
    }
    return Node(
        id=f"incident:{told.name}",
        name=told.title or told.name,
        seen=told.seen,
        texts=texts,
        numbers={"confidence": cause.confidence if cause else 0.0},
    )


def alert_node(alert: Alert, seen: datetime) -> Node:
    """One alert."""
    texts = {
        "fingerprint": alert.fingerprint,
        "severity": alert.severity,
        "startsAt": timestamp(alert.starts_at),
        "endsAt": timestamp(alert.ends_at),
        "metric": alert.metric,
        "entity": str(alert.entity),
    }
    return Node(id=f"alert:{alert.fingerprint}", name=alert.name, seen=seen, texts=texts)


def metric_node(series: Series, shifts: Shifts, row: int, seen: datetime) -> Node:
    """One series: what it was before, the highest it came to, and when it left its level."""
    texts = {
        "labels": ", ".join(f"{name}={value}" for name, value in series.labels),
        "unit": str(series.unit),
        "aspect": str(series.aspect),
        "changedAt": timestamp(moment(float(shifts.onset_s[row]))),
        "entity": str(series.entity or ""),
    }
    numbers = {"value": float(shifts.high[row]), "before": float(shifts.before[row])}
    return Node(
        id=f"metric:{series.key}", name=series.name, seen=seen, texts=texts, numbers=numbers
    )


def change_node(change: Change, seen: datetime) -> Node:
    """One change."""
    at = timestamp(change.at)
    texts = {
        "at": at,
        "kind": str(change.kind),
        "summary": change.summary,
        "version": change.version or "",
        "entity": str(change.entity),
    }
    name = f"{change.kind} of {change.entity}"
    ident = f"change:{change.entity}|{at}|{_digest(change.summary)}"
    return Node(id=ident, name=name, seen=seen, texts=texts)


def component_node(entity: Entity, seen: datetime) -> Node:
    """One entity."""
    return Node(id=str(entity), name=entity.name, seen=seen, texts={"kind": str(entity.kind)})


def loud_templates(logs: Logs, spans: Spans | None, seen: datetime) -> Iterator[Loud]:
    """The templates of warnings and worse, the most frequent first, each with its first line.

    Sampled lines count as many as they stand for.
    """
    loud = np.flatnonzero(logs.severity >= WARN)
    pairs, firsts, group = np.unique(
        np.stack([logs.entity[loud], logs.template[loud]]),
        axis=1,
        return_index=True,
        return_inverse=True,
    )
    counts = np.bincount(group.ravel(), weights=logs.weight[loud], minlength=len(firsts))
    for place in np.argsort(-counts, kind="stable")[:MOST_TEMPLATES].tolist():
        entity, number = int(pairs[0, place]), int(pairs[1, place])
        owner, template = logs.entities[entity], logs.templates[number]
        row = int(loud[firsts[place]])
        texts = {"level": _level(int(logs.severity[row])), "entity": str(owner)}
        at, example = timestamp(moment(float(logs.at_s[row]))), logs.examples[number]
        node = Node(
            id=f"template:{owner}|{_digest(template)}",
            name=template[:80],
            seen=seen,
            texts={**texts, "message": template},
            numbers={"count": float(counts[place])},
        )
        told = {"message": example, "at": at, "trace_id": _trace_id(logs, spans, row)}
        line = Node(
            id=f"log:{owner}|{at}|{_digest(example)}",
            name=example[:80],
            seen=seen,
            texts={**texts, **told},
        )
        yield Loud(node=node, line=line, owner=owner, number=number, entity=entity)


def _trace_id(logs: Logs, spans: Spans | None, row: int) -> str:
    span = int(logs.span[row])
    if spans is None or span < 0 or not spans.trace_ids:
        return ""
    return spans.trace_ids[int(spans.trace[span])]


def _level(severity: int) -> str:
    return next((name for least, name in _LEVELS if severity >= least), "")


def _digest(*texts: Sequence[str] | str) -> str:
    return hashlib.sha256("\0".join(map(str, texts)).encode()).hexdigest()[:16]
