"""Log lines as programs write them: JSON objects, key=value pairs, or text with a time in front.

Sources: RFC 3339; RFC 3164 (syslog); Apache's common log format; W3C Trace Context for ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson

from opsmith.errors import BadInput
from opsmith.ingest import otlp
from opsmith.ingest.json_door import fields
from opsmith.nouns.log_line import Level, LogLine
from opsmith.nouns.redaction import redact

LONGEST_TEXT = 4_000
# A stack trace goes with the line that it explains, up to here.
LONGEST_RECORD = 16_000
LONGEST_NAME = 200

_TIMES = ("time", "timestamp", "@timestamp", "ts", "datetime", "t", "date", "eventTime")
_LEVELS = ("level", "severity", "severity_text", "severityText", "lvl", "loglevel", "log.level")
_TEXTS = ("message", "msg", "body", "log", "event", "text", "error")
_SERVICES = (
    "service.name",
    "service",
    "service_name",
    "serviceName",
    "app",
    "application",
    "container_name",
)
_TRACES = (
    "trace_id",
    "traceId",
    "traceID",
    "trace.id",
    "otelTraceID",
    "traceparent",
    "dd.trace_id",
)
_NAMES = {
    "trace": Level.TRACE,
    "debug": Level.DEBUG,
    "info": Level.INFO,
    "information": Level.INFO,
    "notice": Level.INFO,
    "warn": Level.WARN,
    "warning": Level.WARN,
    "error": Level.ERROR,
    "err": Level.ERROR,
    "severe": Level.ERROR,
    "critical": Level.FATAL,
    "crit": Level.FATAL,
    "fatal": Level.FATAL,
    "panic": Level.FATAL,
    "alert": Level.FATAL,
    "emerg": Level.FATAL,
    "emergency": Level.FATAL,
}
# Bunyan and pino count levels by tens.
_NUMBERED = {
    10: Level.TRACE,
    20: Level.DEBUG,
    30: Level.INFO,
    40: Level.WARN,
    50: Level.ERROR,
    60: Level.FATAL,
}
_ISO = re.compile(
    r"^\W{0,3}(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)\s?(Z|UTC|[+-]\d\d:?\d\d)?\b"
)
_SYSLOG = re.compile(r"^(?:<\d{1,3}>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d)\b")
_COMMON = re.compile(r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]")
_WORD = re.compile(
    r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|SEVERE|CRIT(?:ICAL)?|FATAL|PANIC)\b"
    r"|\[(trace|debug|info|notice|warn(?:ing)?|error|crit|alert|emerg)\]"
)
_LETTER = re.compile(r"^([IWEF])(\d{4}) \d\d:\d\d:\d\d")
_TRACE = re.compile(r"trace[-_.]?id[\"']?\s*[=:]\s*[\"']?([0-9a-fA-F]{16,32})\b", re.IGNORECASE)
_PARENT = re.compile(r"\b[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\b")
_PAIR = re.compile(r"(?:^|\s)([A-Za-z_][\w.@-]{0,63})=(\"(?:[^\"\\]|\\.)*\"|\S*)")
_FEWEST_PAIRS = 3
# Lines that go on: indented, or as stack traces of Java, Python, Go and JavaScript do.
_GOES_ON = re.compile(r"^(?:\s+\S|Caused by: |\.\.\. \d+ more|Traceback \(most |goroutine \d+ )")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_LETTERS = {"I": Level.INFO, "W": Level.WARN, "E": Level.ERROR, "F": Level.FATAL}
# Digits of a Unix time in seconds, milliseconds, microseconds and nanoseconds of this century.
_SCALES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (0.0, 1.0))


def read_line(text: str, *, service: str, source: str, now: datetime) -> LogLine:
    """One line. service: whose log it is, where the line names nobody; `now` where no time.

    >>> line = read_line('{"ts": 1700000000, "level": "warn", "msg": "slow", "service": "cart"}',
    ...                  service="", source="a.log", now=datetime(2026, 1, 1, tzinfo=UTC))
    >>> line.level.name, line.service, line.text, line.at.isoformat()
    ('WARN', 'cart', 'slow', '2023-11-14T22:13:20+00:00')
    """
    told = _told(text)
    body = _first(_TEXTS, told) if told else ""
    shown = body or text
    return LogLine(
        at=_time(told, text, now),
        level=_level(told, text),
        service=(_first(_SERVICES, told) or service)[:LONGEST_NAME],
        text=redact(shown[:LONGEST_TEXT]),
        trace_id=_trace(told, text),
        source=source,
    )


def records(
    lines: Iterable[str], *, service: str, source: str, now: datetime
) -> Iterator[LogLine]:
    """The records of lines in a row; lines that go on belong to the one before."""
    held: LogLine | None = None
    for text in lines:
        if not text.strip():
            continue
        if held is not None and _GOES_ON.match(text):
            if len(held.text) < LONGEST_RECORD:
                more = f"{held.text}\n{redact(text[:LONGEST_TEXT])}"
                held = replace(held, text=more[:LONGEST_RECORD])
            continue
        if held is not None:
            yield held
        held = read_line(text, service=service, source=source, now=now)
    if held is not None:
        yield held


def level_named(word: str) -> Level:
    """The level of a word such as `warn`. Raises `BadInput` when it is none."""
    try:
        return _NAMES[word.strip().lower()]
    except KeyError as error:
        raise BadInput(
            f"{word[:40]!r} is no level.", hint="Take trace, debug, info, warn, error or fatal."
        ) from error


def request_of(lines: Sequence[LogLine]) -> dict[str, object]:
    """The records as an export request of OTLP/JSON, so that they go the way of all others."""
    owners: dict[str, list[dict[str, object]]] = {}
    for line in lines:
        owners.setdefault(line.service, []).append(_otlp(line))
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": [_attribute("service.name", owner)] if owner else []},
                "scopeLogs": [{"logRecords": found}],
            }
            for owner, found in owners.items()
        ]
    }


def _otlp(line: LogLine) -> dict[str, object]:
    since = line.at - datetime(1970, 1, 1, tzinfo=UTC)
    return {
        "timeUnixNano": str(since // timedelta(microseconds=1) * 1_000),
        "severityNumber": int(line.level),
        "body": {"stringValue": line.text},
        "traceId": line.trace_id,
        "attributes": [_attribute("log.file.path", line.source)] if line.source else [],
    }


def _attribute(key: str, value: str) -> dict[str, object]:
    return {"key": key, "value": {"stringValue": value}}


def _told(text: str) -> Mapping[str, object]:
    """The members of a JSON object or of key=value pairs; none in plain text."""
    stripped = text.lstrip()
    if stripped.startswith("{"):
        try:
            return fields(orjson.loads(stripped))
        except orjson.JSONDecodeError:
            return {}
    pairs = _PAIR.findall(text[:LONGEST_TEXT])
    if len(pairs) < _FEWEST_PAIRS or not text.lstrip().startswith(pairs[0][0]):
        return {}
    return {key: _unquoted(value) for key, value in pairs}


def _unquoted(value: str) -> str:
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value


def _first(names: Sequence[str], told: Mapping[str, object]) -> str:
    """The first of these members that says something; nested ones by dotted names."""
    for name in names:
        value = told.get(name)
        if value is None and "." in name:
            outer, _, inner = name.partition(".")
            value = fields(told.get(outer)).get(inner)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, dict) and "stringValue" in value:
            return otlp.plain(value)
    return ""


def _time(told: Mapping[str, object], text: str, now: datetime) -> datetime:
    for name in _TIMES:
        value = told.get(name)
        found = None
        if isinstance(value, int | float) and not isinstance(value, bool):
            found = _number(value)
        elif isinstance(value, str):
            found = _written(value, now)
        if found is not None:
            return found
    return (_written(text, now) if not told else None) or now


def _number(value: float) -> datetime | None:
    scale = next(divisor for least, divisor in _SCALES if abs(value) >= least)
    try:
        return datetime.fromtimestamp(value / scale, tz=UTC) if value > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def _written(text: str, now: datetime) -> datetime | None:
    """A time at the beginning of a text; one without a zone is UTC."""
    try:
        if found := _ISO.match(text):
            zone = (found[2] or "Z").replace("UTC", "Z")
            moment = datetime.fromisoformat(found[1].replace(",", ".")[:26] + zone)
            return moment.astimezone(UTC)
        if found := _COMMON.search(text):
            return datetime.strptime(found[1], "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
        if found := _SYSLOG.match(text):
            return _of_this_year(found, now)
        return _number(float(text)) if re.fullmatch(r"\d{10,19}(\.\d+)?", text) else None
    except (ValueError, OverflowError):
        return None


def _of_this_year(found: re.Match[str], now: datetime) -> datetime | None:
    """Syslog names no year: the last one in which that day was not still to come."""
    if found[1] not in _MONTHS:
        return None
    hour, minute, second = map(int, found[3].split(":"))
    for year in (now.year, now.year - 1):
        moment = datetime(
            year, _MONTHS.index(found[1]) + 1, int(found[2]), hour, minute, second, tzinfo=UTC
        )
        if moment <= now + timedelta(days=1):
            return moment
    return None


def _level(told: Mapping[str, object], text: str) -> Level:
    for name in _LEVELS:
        value = told.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return _NUMBERED.get(value, Level.UNSET)
    if told:
        return _NAMES.get(_first(_LEVELS, told).lower(), Level.UNSET)
    if found := _LETTER.match(text):
        return _LETTERS[found[1]]
    word = _WORD.search(text[:LONGEST_NAME])
    return _NAMES[(word[1] or word[2]).lower()] if word else Level.UNSET


def _trace(told: Mapping[str, object], text: str) -> str:
    named = _first(_TRACES, told)
    found = _PARENT.search(named or text) or _TRACE.search(text)
    if found:
        return found[1].lower()
    return named.lower() if re.fullmatch(r"[0-9a-fA-F]{16,32}", named) else ""
