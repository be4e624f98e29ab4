"""Known events from a small CSV file: holidays, sales, batch runs, one occurrence a row."""

from __future__ import annotations

import csv
from pathlib import Path

from opsmith.errors import BadInput
from opsmith.ingest.tables import seconds_of
from opsmith.nouns.forecast import Event

COLUMNS = ("name", "start", "end")
# More occurrences than this are a series, not a list a person keeps.
MOST_ROWS = 100_000


def read_events(path: Path) -> tuple[Event, ...]:
    """Events by name, in order of first mention; rows of one name are its occurrences.

    The first line names the columns name, start and end (not included); times as ISO 8601
    (without an offset UTC) or Unix seconds.
    Raises `BadInput` with the line for what is not such a row.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file.", hint="Give a CSV file: name,start,end.")
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        rows = csv.DictReader(lines, skipinitialspace=True)
        if not set(COLUMNS) <= set(rows.fieldnames or ()):
            raise BadInput(
                f"{path.name}: its first line must name the columns name, start and end.",
                hint="For example: name,start,end and below it sale,2026-11-27,2026-11-28.",
            )
        found: dict[str, list[tuple[float, float]]] = {}
        for number, row in enumerate(rows, start=2):
            if number > MOST_ROWS:
                raise BadInput(f"{path.name}: more than {MOST_ROWS:,} rows of events.")
            name = (row["name"] or "").strip()
            found.setdefault(name, []).append(_window(path.name, number, row))
    if not found or "" in found:
        raise BadInput(f"{path.name}: every event needs a row and a name.")
    return tuple(Event(name=name, windows_s=tuple(windows)) for name, windows in found.items())


def _window(file: str, number: int, row: dict[str, str]) -> tuple[float, float]:
    start, end = (seconds_of(row[name] or "") for name in ("start", "end"))
    if start is None or end is None or not end > start:
        raise BadInput(
            f"{file}, line {number}: start and end must be times, and the end after the start.",
            hint="Write ISO 8601 such as 2026-11-27T08:00:00Z, or Unix seconds.",
        )
    return start, end
