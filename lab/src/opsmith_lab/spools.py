"""spools: the spans and log lines that the services wrote, cut to a stretch of time and thinned.

Traces are sampled by their tail: a trace with a failed or slow span is kept, of the others a
share, chosen by trace id so that every span of a trace shares its fate. Kept ordinary spans carry
their rate as `sampling.probability`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson

from opsmith_lab.layout import Lab
from opsmith_lab.shop.process import as_object, rows_of

# A span longer than the service level objective makes its trace worth keeping.
SLOW_NS = 500_000_000
STATUS_ERROR = 2

Span = dict[str, object]
Stretch = tuple[datetime, datetime]


def write_traces(lab: Lab, path: Path, stretch: Stretch, keep: float) -> str:
    """Write the sampled spans of a stretch to a gzip file; says how many of how many."""
    remarkable = {
        str(span["traceId"])
        for _, spans in _requests(lab, "traces", stretch)
        for span in spans
        if _remarkable(span)
    }
    seen = kept = 0
    with gzip.open(path, "wb") as file:
        for resource, spans in _requests(lab, "traces", stretch):
            chosen = [one for span in spans if (one := _sampled(span, remarkable, keep))]
            seen, kept = seen + len(spans), kept + len(chosen)
            if chosen:
                scope = {"scope": {"name": "opsmith_lab.shop"}, "spans": chosen}
                request = {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}
                file.write(orjson.dumps(request) + b"\n")
    return f"traces: {kept} of {seen} spans, {len(remarkable)} traces with errors or slow spans"


def write_logs(lab: Lab, path: Path, stretch: Stretch) -> str:
    """Write the log records of a stretch to a gzip file; says how many."""
    kept = 0
    with gzip.open(path, "wb") as file:
        for resource, records in _requests(lab, "logs", stretch):
            kept += len(records)
            scope = {"scope": {"name": "opsmith_lab.shop"}, "logRecords": records}
            request = {"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}
            file.write(orjson.dumps(request) + b"\n")
    return f"logs: {kept} records"


def _requests(lab: Lab, what: str, stretch: Stretch) -> Iterator[tuple[object, list[Span]]]:
    """Each spooled request's resource with its records inside the stretch, if there are any."""
    keys = {
        "traces": ("resourceSpans", "scopeSpans", "spans", "startTimeUnixNano"),
        "logs": ("resourceLogs", "scopeLogs", "logRecords", "timeUnixNano"),
    }[what]
    outer, scopes, inner, time_key = keys
    first_ns, last_ns = (int(at.timestamp() * 1e9) for at in stretch)
    for path in _files(lab, what):
        for line in path.read_bytes().splitlines():
            request = _request(line)
            if request is None:
                continue
            part = rows_of(request.get(outer))[0]
            records = rows_of(rows_of(part.get(scopes))[0].get(inner))
            inside = [
                record for record in records if first_ns <= int(str(record[time_key])) < last_ns
            ]
            if inside:
                yield part["resource"], inside


def _files(lab: Lab, what: str) -> Iterator[Path]:
    """The older piece of each spool before the current one."""
    for current in sorted((lab.data / "spool").glob(f"{what}-*.jsonl")):
        older = current.with_suffix(".jsonl.1")
        if older.exists():
            yield older
        yield current


def _request(line: bytes) -> Span | None:
    """One spooled request; None for what a process that was killed left torn."""
    try:
        return as_object(orjson.loads(line))
    except orjson.JSONDecodeError:
        return None


def _remarkable(span: Span) -> bool:
    failed = as_object(span["status"]).get("code") == STATUS_ERROR
    length_ns = int(str(span["endTimeUnixNano"])) - int(str(span["startTimeUnixNano"]))
    return failed or length_ns > SLOW_NS


def _sampled(span: Span, remarkable: set[str], keep: float) -> Span | None:
    trace = str(span["traceId"])
    if trace in remarkable:
        return span
    if int(trace[-8:], 16) / 2**32 >= keep:
        return None
    rate = {"key": "sampling.probability", "value": {"doubleValue": keep}}
    attributes = span["attributes"]
    return {**span, "attributes": [*(attributes if isinstance(attributes, list) else []), rate]}
