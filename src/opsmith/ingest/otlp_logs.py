"""Logs: OTLP/JSON lines become columns of log lines, folded to templates."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opsmith.ingest import otlp, sampling, templates
from opsmith.ingest.json_door import fields, items, text
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import Logs

# First number of each range of the OpenTelemetry log data model, "Severity Fields".
_SEVERITIES = {
    "TRACE": 1,
    "DEBUG": 5,
    "INFO": 9,
    "NOTICE": 10,
    "WARN": 13,
    "WARNING": 13,
    "ERROR": 17,
    "ERR": 17,
    "CRITICAL": 18,
    "SEVERE": 18,
    "FATAL": 21,
    "PANIC": 21,
    "EMERGENCY": 21,
}
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_HIGHEST = 24
# A line's text is cut here at once, whatever its length in the file.
_LONGEST_BODY = 2_000
_MOST_HEADS = 100_000


def read(
    path: Path, rows: Mapping[tuple[str, str], int], naming: Naming, losses: Losses
) -> Logs | None:
    """All log records of a file of OTLP/JSON lines (or its `.gz`); None when there is none.

    rows: the row of a span by trace and span id, see `otlp_traces.Traces`.
    """
    columns = _Columns(rows, naming)
    for number, request in otlp.requests(path, "logs", losses):
        if not columns.take(request):
            losses.line("logs", path.name, number, 'no "resourceLogs" in it; dropped.')
    losses.count("logs", path.name, columns.timeless, "a record without a time; dropped.")
    losses.count("logs", path.name, columns.ownerless, "a record of nobody: no service.name.")
    return columns.logs()


@dataclass(frozen=True, slots=True)
class _Head:
    """Level with place or logger. placed: the code that wrote the line is known.

    weight: how many lines this one stands for, as its attributes say; None when they do not.
    """

    text: str
    placed: bool
    weight: float | None


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who sent, and how many lines each one of theirs stands for unless it says so itself."""

    entity: Entity
    weight: float


class _Columns:
    """Columns that grow record by record."""

    def __init__(self, rows: Mapping[tuple[str, str], int], naming: Naming) -> None:
        self.timeless = 0
        self.ownerless = 0
        self._rows = rows
        self._naming = naming
        self._miner = templates.TemplateMiner()
        # By severity, scope and attributes: most lines of a statement share all three.
        self._heads: dict[bytes, _Head] = {}
        self._owners: dict[bytes, _Owner | None] = {}
        self._entities: dict[Entity, int] = {}
        self._at_ns = array("q")
        self._entity = array("i")
        self._template = array("i")
        self._severity = array("b")
        self._span = array("q")
        self._weight = array("d")

    def take(self, request: Mapping[str, object]) -> bool:
        """Take the records of one export request; False when it is none."""
        if "resourceLogs" not in request and "resource_logs" not in request:
            return False
        for sent in items(request.get("resourceLogs") or request.get("resource_logs")):
            group = fields(sent)
            owner = self._owner_of(fields(group.get("resource")).get("attributes"))
            for scoped in items(group.get("scopeLogs") or group.get("scope_logs")):
                name = text(fields(fields(scoped).get("scope")).get("name"))
                for record in items(fields(scoped).get("logRecords")):
                    self._take_record(fields(record), name, owner)
        return True

    def _owner_of(self, attributes: object) -> _Owner | None:
        key = otlp.digest(attributes)
        if key is not None and key in self._owners:
            return self._owners[key]
        told = otlp.attributes(attributes)
        found = otlp.owner(told, self._naming)
        owner = _Owner(found[0], sampling.weight({}, told, "")) if found else None
        if key is not None and len(self._owners) < _MOST_HEADS:
            self._owners[key] = owner
        return owner

    def _take_record(self, record: Mapping[str, object], scope: str, owner: _Owner | None) -> None:
        at = otlp.integer(record.get("timeUnixNano")) or otlp.integer(
            record.get("observedTimeUnixNano")
        )
        if owner is None:
            self.ownerless += 1
        elif not at or not 0 < at < 2**63:
            self.timeless += 1
        else:
            severity = _severity(record)
            self._at_ns.append(at)
            head = self._head_of(record, scope, severity)
            self._entity.append(self._entities.setdefault(owner.entity, len(self._entities)))
            self._severity.append(severity)
            self._template.append(self._template_of(record, head))
            self._weight.append(owner.weight if head.weight is None else head.weight)
            ids = (text(record.get("traceId")), text(record.get("spanId")))
            self._span.append(self._rows.get(ids, -1))

    def _head_of(self, record: Mapping[str, object], scope: str, severity: int) -> _Head:
        written = record.get("attributes")
        key = otlp.digest((severity, scope, written))
        head = self._heads.get(key) if key is not None else None
        if head is None:
            head = _head(otlp.attributes(written), scope, severity)
            if key is not None and len(self._heads) < _MOST_HEADS:
                self._heads[key] = head
        return head

    def _template_of(self, record: Mapping[str, object], head: _Head) -> int:
        body = otlp.plain(record.get("body"), longest=_LONGEST_BODY)
        return (self._miner.placed if head.placed else self._miner.mined)(head.text, body)

    def logs(self) -> Logs | None:
        """What was gathered."""
        if not self._at_ns:
            return None
        return Logs(
            entities=tuple(self._entities),
            templates=self._miner.templates(),
            examples=tuple(self._miner.examples),
            at_s=np.array(self._at_ns, dtype=np.int64) / 1e9,
            entity=np.array(self._entity, dtype=np.int32),
            template=np.array(self._template, dtype=np.int32),
            severity=np.array(self._severity, dtype=np.int8),
            span=np.array(self._span, dtype=np.int64),
            weight=np.array(self._weight, dtype=np.float64),
        )


def _head(attributes: Mapping[str, str], scope: str, severity: int) -> _Head:
    level = _LEVELS[(severity - 1) // 4] if severity else ""
    place = templates.code_place(attributes)
    where = place or templates.logger(attributes, scope)[:80]
    weight = sampling.told_weight(attributes)
    return _Head(f"{level} {where}".strip(), placed=bool(place), weight=weight)


def _severity(record: Mapping[str, object]) -> int:
    number = record.get("severityNumber")
    if isinstance(number, str):
        named = number.removeprefix("SEVERITY_NUMBER_")
        number = _named(named) if not named.isdecimal() else int(named)
    if isinstance(number, int) and 0 < number <= _HIGHEST:
        return number
    return _named(text(record.get("severityText")))


def _named(name: str) -> int:
    """`ERROR` is 17, `ERROR3` is 19; 0 when the name is none of ours."""
    word = name.strip().upper()
    step = int(word[-1]) - 1 if word[-1:].isdecimal() and word[-1] in "1234" else 0
    found = _SEVERITIES.get(word[:-1] if step else word.removesuffix("1"), 0)
    return found + step if found else 0
