"""Reading JSON of strangers: each value is what was hoped for, or an empty one of that sort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

NOTHING: Mapping[str, object] = MappingProxyType({})


def fields(value: object) -> Mapping[str, object]:
    """An object's members; none when it is no object."""
    return value if isinstance(value, dict) else NOTHING


def items(value: object) -> Sequence[object]:
    """An array's items; none when it is no array."""
    return value if isinstance(value, list) else ()


def text(value: object) -> str:
    """A string; empty when it is none."""
    return value if isinstance(value, str) else ""


def pairs(value: object) -> tuple[tuple[str, str], ...]:
    """An object of scalars as sorted pairs of strings."""
    return tuple(sorted((str(key), _scalar(inner)) for key, inner in fields(value).items()))


def instant(value: object) -> datetime | None:
    """An RFC 3339 time in UTC; None when it is none or names no offset.

    >>> instant("2026-01-02T03:04:05.123456789+02:00")
    datetime.datetime(2026, 1, 2, 1, 4, 5, 123456, tzinfo=datetime.timezone.utc)
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
