"""Tables: series from one file, CSV, Parquet or OpenMetrics, that a person brings along."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from opsmith.errors import BadInput
from opsmith.ingest import assemble, metric_names, openmetrics, parquet
from opsmith.ingest.files import lines
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.ingest.samples import RawSeries, cleaned
from opsmith.nouns.recording import Missing
from opsmith.nouns.series import MetricKind, Series, Unit

# More columns than this are rows of another format.
MOST_COLUMNS = 10_000

_TIME_NAMES = frozenset(["timestamp", "time", "ts", "ds", "date", "datetime", "at", "t"])
# Marks of what a person saw, not measurements.
_MARK_NAMES = frozenset(["label", "labels", "is_anomaly", "anomaly", "is_outlier"])
_VALUE_NAMES = frozenset(["value", "values", "y", "v"])
# Unix time in seconds, milliseconds, microseconds or nanoseconds, by its size: 1e11 s is the
# year 5138, 1e11 ms is 1973.
_SCALES = ((1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (math.inf, 1e-9))
_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M")
_GAPS = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))
_DIGIT = re.compile(r"\d")
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The series of a file, and what of it could not be used."""

    series: tuple[Series, ...]
    missing: tuple[Missing, ...] = ()


def read_series(path: Path) -> tuple[Series, ...]:
    """The series of a file; see `read_table`."""
    return read_table(path).series


def read_table(path: Path) -> Table:
    """The series of a CSV, Parquet or OpenMetrics file, by its ending; any may be `.gz`.

    CSV, and Parquet unless it has the columns of a bundle (name, labels, at, value): a column
    of times (ISO 8601, without an offset UTC; or Unix s, ms, us, ns), then a column a series.
    Values stay as they are: a unit is told only where it needs no factor.
    Raises `BadInput` when there is no such file or no series in it.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file.", hint="Give a .csv, .parquet or .om file.")
    losses = Losses()
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    series = _reader(ending, path)(path, losses)
    if not series:
        told = " ".join(lost.what for lost in losses.missing())
        raise BadInput(f"{path.name}: no series in it. {told}".strip())
    return Table(series=series, missing=losses.missing())


def _reader(ending: str, path: Path) -> Callable[[Path, Losses], tuple[Series, ...]]:
    if ending in (".csv", ".tsv", ".txt"):
        return _from_csv
    if ending == ".parquet":
        return _from_parquet
    if ending in (".om", ".prom", ".openmetrics", ".metrics"):
        return lambda path, losses: assemble.series(openmetrics.read(path, losses), Naming())[0]
    raise BadInput(
        f"{path.name}: not a kind of file that holds series.",
        hint="Give a .csv, .parquet or .om file (or one of them with .gz).",
    )


def _from_parquet(path: Path, losses: Losses) -> tuple[Series, ...]:
    table = parquet.wide(path, losses)
    if table is None:
        return assemble.series(parquet.read(path, losses), Naming())[0]
    clock = next((name for name in table if name.strip().lower() in _TIME_NAMES), None)
    if clock is None:
        raise BadInput(
            f"{path.name}: no column of times.",
            hint="Name it time, timestamp or ds; or give columns name, labels, at and value.",
        )
    chosen = [name for name in table if name != clock and name.strip().lower() not in _MARK_NAMES]
    scale = next(
        factor for most, factor in _SCALES if np.nanmax(np.abs(table[clock]), initial=0.0) < most
    )
    raw = [
        RawSeries(
            name=_name(path, name, lone=len(chosen) == 1),
            labels=(),
            declared="",
            times_s=table[clock] * scale,
            values=table[name],
        )
        for name in chosen
    ]
    return tuple(_described(one) for one in cleaned(raw, path.name, losses))


def _from_csv(path: Path, losses: Losses) -> tuple[Series, ...]:
    rows = _rows(path, losses)
    first = next(rows, None)
    if first is None or len(first[1]) < 2:  # noqa: PLR2004 - a time and a value
        raise BadInput(f"{path.name}: a table needs a column of times and one of values.")
    headless = seconds_of(first[1][0]) is not None
    header = [f"column_{n}" for n in range(len(first[1]))] if headless else first[1]
    named = [name.strip() or f"column_{number}" for number, name in enumerate(header)]
    clock = next((n for n, name in enumerate(named) if name.lower() in _TIME_NAMES), 0)
    columns = _Columns(path.name, len(named), clock)
    if headless:
        columns.take(*first)
    for number, cells in rows:
        columns.take(number, cells)
    columns.tell(losses)
    return _series(path, named, columns, losses)


def _rows(path: Path, losses: Losses) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of their line; empty ones are left out."""
    delimiter = ""
    for number, raw in lines(path, "metrics", losses):
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace").strip("\r")
        if not line.strip() or line.startswith("#"):
            continue
        delimiter = delimiter or max(_DELIMITERS, key=line.count)
        try:
            yield number, next(csv.reader([line], delimiter=delimiter))[:MOST_COLUMNS]
        except csv.Error as error:
            losses.line("metrics", path.name, number, f"not a row of a table ({error}).")


class _Columns:
    """Times and values, row by row."""

    def __init__(self, file: str, width: int, clock: int) -> None:
        self.file = file
        self.clock = clock
        self.times_s: list[float] = []
        self.values: list[list[float]] = [[] for _ in range(width)]
        self._timeless: list[int] = []
        self._unread = [0] * width

    def take(self, number: int, cells: Sequence[str]) -> None:
        """Take one row; what is no number is a gap."""
        at = seconds_of(cells[self.clock]) if len(cells) > self.clock else None
        if at is None:
            self._timeless.append(number)
            return
        self.times_s.append(at)
        for column, values in enumerate(self.values):
            text = cells[column] if column < len(cells) else ""
            try:
                values.append(float(text))
            except ValueError:
                values.append(math.nan)
                self._unread[column] += text.strip().lower() not in _GAPS

    def tell(self, losses: Losses) -> None:
        """Note the rows without a time."""
        for number in self._timeless:
            losses.line("metrics", self.file, number, "a row without a time; dropped.")

    def is_text(self, column: int) -> bool:
        """Whether a column holds words rather than a metric."""
        return self._unread[column] * 2 > len(self.times_s)


def _series(path: Path, named: list[str], columns: _Columns, losses: Losses) -> tuple[Series, ...]:
    chosen = [
        column
        for column, name in enumerate(named)
        if column != columns.clock
        and name.lower() not in _MARK_NAMES
        and not columns.is_text(column)
    ]
    times = np.array(columns.times_s, dtype=np.float64)
    raw = [
        RawSeries(
            name=_name(path, named[column], lone=len(chosen) == 1),
            labels=(),
            declared="",
            times_s=times,
            values=np.array(columns.values[column], dtype=np.float64),
        )
        for column in chosen
    ]
    return tuple(_described(one) for one in cleaned(raw, path.name, losses))


def _described(raw: RawSeries) -> Series:
    unit, factor = metric_names.unit(raw.name)
    counts = metric_names.kind(raw.name, "") is MetricKind.COUNTER and assemble.rises(raw)
    return Series(
        name=raw.name,
        labels=(),
        entity=None,
        aspect=metric_names.aspect(raw.name),
        unit=unit if factor == 1.0 else Unit.UNKNOWN,
        kind=MetricKind.COUNTER if counts else MetricKind.GAUGE,
        times_s=raw.times_s,
        values=raw.values,
    )


def _name(path: Path, column: str, *, lone: bool) -> str:
    """A column's own name, or the file's where the column says no more than `value`."""
    plain = column.lower() in _VALUE_NAMES or column.startswith("column_")
    return path.name.split(".")[0] if lone and plain else column


def seconds_of(text: str) -> float | None:
    """Unix seconds of a cell, or None when it holds no time."""
    cell = text.strip()
    try:
        number = float(cell)
    except ValueError:
        return _dated(cell)
    if not math.isfinite(number):
        return None
    return number * next(factor for limit, factor in _SCALES if abs(number) < limit)


def _dated(cell: str) -> float | None:
    moment = _iso(cell) or _unusual(cell)
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(cell: str) -> datetime | None:
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return None


def _unusual(cell: str) -> datetime | None:
    for form in _FORMATS if _DIGIT.match(cell) else ():
        try:
            return datetime.strptime(cell, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
