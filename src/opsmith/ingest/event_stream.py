"""Event streams: spans and log records of export requests are sampled, weighed and observed.

What is kept says in an attribute how many events it stands for, as `sampling` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from opsmith.ingest import otlp, sampling
from opsmith.ingest.collector import Row
from opsmith.ingest.distinct import stable_hash
from opsmith.ingest.folding import NAME
from opsmith.ingest.json_door import fields, items, text
from opsmith.ingest.naming import Naming
from opsmith.ingest.online_templates import OnlineTemplates
from opsmith.ingest.thinning import Thinning

# The names that Tempo's metrics generator gives, so that dashboards and label rules know them.
SPAN_METRIC = "traces_spanmetrics_latency"
LOG_METRIC = "log_records"
UNKNOWN = "unknown"

_FAILED = frozenset({2, "2", "STATUS_CODE_ERROR"})
_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_LEVELS = ("UNSET", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_HIGHEST = 24
_LONGEST_NAME = 200
_LONGEST_BODY = 2_000

Told = Mapping[str, object]
# Labels, the first three of which name the stream that is sampled, and a value.
Seen = tuple[tuple[tuple[str, str], ...], float]


@dataclass(slots=True, kw_only=True)
class EventStream:
    """One signal's stream. rows: what was observed since they were last taken away.

    chance: uniform numbers in [0, 1) for events that belong to no trace.
    dimensions: attributes that become labels of the observations beside the usual ones.
    """

    thinning: Thinning
    rows: list[Row]
    chance: Callable[[], float]
    dimensions: tuple[str, ...] = ()
    templates: OnlineTemplates = field(default_factory=OnlineTemplates)

    def spans(self, request: Told, *, now_s: float) -> dict[str, object] | None:
        """The request with the spans that are kept, None when there is none."""
        return self._request(request, "resourceSpans", "scopeSpans", "spans", now_s=now_s)

    def logs(self, request: Told, *, now_s: float) -> dict[str, object] | None:
        """The request with the log records that are kept, None when there is none."""
        return self._request(request, "resourceLogs", "scopeLogs", "logRecords", now_s=now_s)

    def taken(self) -> list[Row]:
        """The observations so far, taken away."""
        rows, self.rows = self.rows, []
        return rows

    def _request(
        self, request: Told, outer: str, middle: str, inner: str, *, now_s: float
    ) -> dict[str, object] | None:
        read = _span if inner == "spans" else _record
        kept = []
        for sent in items(request.get(outer)):
            group = fields(sent)
            resource = otlp.attributes(fields(group.get("resource")).get("attributes"))
            owner = otlp.owner(resource, Naming())
            service = owner[0].name if owner else UNKNOWN
            scopes = []
            for scope in map(fields, items(group.get(middle))):
                found = [
                    event
                    for told in map(fields, items(scope.get(inner)))
                    if (event := self._event(told, resource, read(told, service), now_s=now_s))
                ]
                if found:
                    scopes.append({**scope, inner: found})
            if scopes:
                kept.append({**group, middle: scopes})
        return {**request, outer: kept} if kept else None

    def _event(
        self, event: Told, resource: Mapping[str, str], seen: Seen, *, now_s: float
    ) -> Told | None:
        """The event as it is kept, None when it is left out; what it says is observed."""
        labels, value = seen
        told = otlp.attributes(event.get("attributes"))
        trace = text(event.get("traceId"))
        chance = stable_hash(trace) / 2**64 if trace else self.chance()
        weight = self.thinning.weight(labels[:3], chance, now_s=now_s)
        if not weight:
            return None
        before = sampling.weight(told, resource, text(event.get("traceState")))
        more = [(key, told[key]) for key in self.dimensions if key in told]
        if "body" in event:
            body = otlp.plain(event["body"], longest=_LONGEST_BODY)
            more.append(("template", self.templates.template(body)))
        self.rows.append(((*labels, *more), value, weight * before))
        return event if weight == 1.0 else _weighed(event, weight * before)


def _span(span: Told, service: str) -> Seen:
    """The labels of a span, its status third, and its duration in seconds."""
    begun, ended = (otlp.integer(span.get(f"{end}TimeUnixNano")) for end in ("start", "end"))
    seconds = max(0.0, (ended - begun) / 1e9) if begun and ended else 0.0
    status = fields(span.get("status")).get("code")
    labels = (
        (NAME, SPAN_METRIC),
        ("service", service),
        ("status_code", "ERROR" if status in _FAILED else "UNSET"),
        ("span_kind", _kind(span.get("kind"))),
        ("span_name", text(span.get("name"))[:_LONGEST_NAME]),
    )
    return labels, seconds


def _record(record: Told, service: str) -> Seen:
    """The labels of a log record, its level third; its value is 1."""
    return ((NAME, LOG_METRIC), ("service", service), ("level", _level(record))), 1.0


def _kind(kind: object) -> str:
    if isinstance(kind, int) and not isinstance(kind, bool) and 0 <= kind < len(_KINDS):
        return _KINDS[kind]
    named = text(kind).removeprefix("SPAN_KIND_")
    return named if named in _KINDS else _KINDS[0]


def _level(record: Told) -> str:
    number = record.get("severityNumber")
    if isinstance(number, int) and 0 < number <= _HIGHEST:
        return _LEVELS[(number - 1) // 4 + 1]
    named = text(number).removeprefix("SEVERITY_NUMBER_") or text(record.get("severityText"))
    word = named.upper().rstrip("234")
    return word if word in _LEVELS else _LEVELS[0]


def _weighed(event: Told, weight: float) -> Told:
    """The event with its weight as an attribute in place of any other word on sampling."""
    kept = [
        one
        for one in items(event.get("attributes"))
        if text(fields(one).get("key")) not in sampling.NAMES
    ]
    ours = {"key": sampling.ADJUSTED, "value": {"doubleValue": weight}}
    return {**event, "attributes": [*kept, ours]}
