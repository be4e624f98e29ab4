"""Reads folders of time series and cuts them into forecasting tasks; layouts are detected."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400.0
OPS_STEP_S = 300.0
OPS_MOST_POINTS = 8_064
OPS_HORIZON = 288
OPS_ORIGINS = (864, 288)
M4_STEP_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One forecast to make: `train` is all that may be seen, `test` what came."""

    group: str
    series: str
    origin: int
    step_s: float
    start_s: float
    train: NDArray[np.float64]
    test: NDArray[np.float64]

    @property
    def day(self) -> int:
        """Steps a day."""
        return round(DAY_S / self.step_s)

    @property
    def scale(self) -> float:
        """In-sample error of the daily seasonal naive forecast, the denominator of MASE."""
        difference = np.abs(self.train[self.day :] - self.train[: -self.day])
        scale = float(np.nanmean(difference)) if np.isfinite(difference).any() else np.nan
        return scale if scale > 0 else np.nan


def tasks(folder: Path) -> Iterator[Task]:
    """Every task in a folder: an M4 folder, or one that holds files of time series anywhere."""
    m4 = sorted(folder.rglob("train.csv"))
    for train in m4:
        yield from m4_tasks(train)
    taken = {train.parent for train in m4}
    for path in sorted(folder.rglob("*.csv")):
        if path.parent not in taken:
            yield from ops_tasks(path, path.relative_to(folder).as_posix())


def m4_tasks(train: Path) -> Iterator[Task]:
    """The 48 steps after each row of train.csv; answers are NaN without a test.csv."""
    test = train.with_name("test.csv")
    answers = dict(m4_rows(test)) if test.exists() else {}
    for name, values in m4_rows(train):
        actual = answers.get(name, np.empty(0))
        if actual.size == 0:
            actual = np.full(48, np.nan)
        yield Task(
            group="m4-hourly",
            series=name,
            origin=values.size,
            step_s=M4_STEP_S,
            start_s=0.0,
            train=values,
            test=actual,
        )


def m4_rows(path: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Each row: the series' id and its values; rows that hold no numbers are skipped."""
    with path.open(encoding="utf-8") as lines:
        for row in csv.reader(lines):
            try:
                yield row[0].strip('"'), np.array([float(v) for v in row[1:] if v], dtype=float)
            except (IndexError, ValueError):
                continue  # a header or an empty line


def ops_tasks(path: Path, name: str) -> Iterator[Task]:
    """Two origins of one file, averaged to five minutes; none when it is too short."""
    start_s, values = five_minutes(*read_series(path))
    for back in OPS_ORIGINS:
        origin = values.size - back
        if origin < 3 * OPS_HORIZON:
            continue
        first = max(0, origin - OPS_MOST_POINTS)
        yield Task(
            group=name.split("/", 1)[0] if "/" in name else path.parent.name,
            series=name,
            origin=origin,
            step_s=OPS_STEP_S,
            start_s=start_s + first * OPS_STEP_S,
            train=values[first:origin],
            test=values[origin : origin + OPS_HORIZON],
        )


def read_series(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (Unix seconds) and values of a CSV whose first two columns are time and value."""
    times, values = [], []
    with path.open(encoding="utf-8") as lines:
        for row in csv.reader(lines):
            if len(row) < 2:
                continue
            try:
                values.append(float(row[1] or "nan"))
                times.append(to_seconds(row[0]))
            except ValueError:
                del values[len(times) :]
    return np.array(times, dtype=float), np.array(values, dtype=float)


def to_seconds(text: str) -> float:
    """Unix seconds from a number or an ISO 8601 time, UTC unless it says otherwise."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text[:26] if "." in text else text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def five_minutes(
    times_s: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Means over 5 minutes; empty when the series was sampled more rarely than that."""
    if times_s.size < 2 or np.median(np.diff(np.sort(times_s))) > OPS_STEP_S:
        return 0.0, np.empty(0)
    cell = np.floor(times_s / OPS_STEP_S).astype(np.int64)
    cell -= (first := int(cell.min()))
    known = np.isfinite(values)
    count = np.bincount(cell[known], minlength=int(cell.max()) + 1)
    total = np.bincount(cell[known], weights=values[known], minlength=int(cell.max()) + 1)
    with np.errstate(invalid="ignore"):
        return first * OPS_STEP_S, np.where(count > 0, total / count, np.nan)
