"""Sample lines: values of series as a program writes them to standard output, line by line."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from opsmith.errors import BadInput
from opsmith.nouns.anomaly import Sample

# A longer line is no sample.
LONGEST = 10_000
DEFAULT_SERIES = "stdin"
HINT = (
    'Write "time,value", "series,time,value" or {"series": …, "time": …, "value": …}; '
    "time is Unix seconds or ISO 8601. A name in _total, or kind: counter, is a counter."
)


def read_line(line: str) -> Sample | None:
    """The sample on a line; None for an empty line, a comment (#) or a head of columns.

    Raises `BadInput` for anything else.
    """
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    if len(text) > LONGEST:
        raise BadInput(f"A line of {len(text)} characters is no sample.", hint=HINT)
    return _from_json(text) if text.startswith("{") else _from_csv(text)


def _from_json(text: str) -> Sample:
    try:
        read: object = json.loads(text)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict) or "value" not in read or "time" not in read:
        raise BadInput(f"{text[:80]!r} is no sample.", hint=HINT)
    name = read.get("series", DEFAULT_SERIES)
    if not isinstance(name, str) or not name:
        raise BadInput(f"{text[:80]!r} names no series.", hint=HINT)
    value, kind = read["value"], read.get("kind")
    if kind not in (None, "counter", "gauge"):
        raise BadInput(f"{str(kind)[:40]!r} is no kind of series.", hint=HINT)
    return Sample(
        series=name,
        time_s=_seconds(str(read["time"])),
        value=float("nan") if value is None else _number(str(value)),
        counter=kind == "counter" or (kind is None and counts(name)),
    )


def _from_csv(text: str) -> Sample | None:
    *before, time, value = ["", "", *(cell.strip() for cell in text.rsplit(",", 2))]
    if value.lower() in ("value", "y"):
        return None
    name = before[-1].strip('"') or DEFAULT_SERIES
    return Sample(
        series=name, time_s=_seconds(time), value=_number(value or "nan"), counter=counts(name)
    )


def counts(name: str) -> bool:
    """Whether a name says that its series is a counter: OpenMetrics keeps `_total` for those.

    >>> counts('http_requests_total{code="200"}'), counts("queue_count")
    (True, False)
    """
    return name.split("{", 1)[0].endswith("_total")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{text[:40]!r} is no number.", hint=HINT) from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text.strip('"'))
    except ValueError:
        raise BadInput(f"{text[:40]!r} is no time.", hint=HINT) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
