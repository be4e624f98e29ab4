"""Readers of public labelled series: NAB, ms-cloud, NetMan KPI and Prometheus dumps.

The layout of a folder is told from its files, never from its name.
"""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PROBATION, PROBATION_CAP = 0.15, 750  # NAB: rows that no detector is judged on


@dataclass(frozen=True, kw_only=True)
class LabelledSeries:
    """One series with what people said of it.

    name: path inside its set; stamps: the timestamps as written; times_s: (n,) Unix seconds;
    values: (n,); labels: (n,) bool, True where anomalous (all False where nobody labelled);
    windows: NAB's windows as (first row, last row); labelled: whether anybody looked.
    """

    name: str
    stamps: tuple[str, ...]
    times_s: NDArray[np.float64]
    values: NDArray[np.float64]
    labels: NDArray[np.bool_]
    windows: tuple[tuple[int, int], ...]
    labelled: bool

    @property
    def probation(self) -> int:
        """The first row that is judged."""
        return min(int(PROBATION * len(self.values)), PROBATION_CAP)

    @property
    def days(self) -> float:
        """Length of the judged part in days."""
        return float(self.times_s[-1] - self.times_s[self.probation]) / 86400.0


def sets_in(folder: Path) -> dict[str, Path]:
    """The data sets of a folder by name: itself, or each of its folders that is one.

    Ends the program when there is none; a folder without series is told and passed over.
    """
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder.")
    if _is_set(folder):
        return {folder.name: folder}
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    for path in inner:
        if not _is_set(path):
            print(f"{path}: no series to look for anomalies in; skipped.", file=sys.stderr)
    found = {path.name: path for path in inner if _is_set(path)}
    if not found:
        raise SystemExit(f"{folder}: no data set. Give the folder of one, or of several.")
    return found


def _is_set(folder: Path) -> bool:
    """Whether a folder holds one data set: CSV files, its own or below `data`."""
    if (folder / "labels" / "combined_windows.json").exists():
        return True
    own = [path for path in folder.glob("*.csv") if path.name not in ("train.csv", "test.csv")]
    return bool(own) or any((folder / "data").rglob("*.csv"))


def read_set(folder: Path) -> tuple[str, list[LabelledSeries]]:
    """The layout's name and its series, in order of name."""
    if (folder / "labels" / "combined_windows.json").exists():
        return "nab", _nab(folder)
    files = sorted(folder.rglob("*.csv"))
    series = [_plain(folder, path) for path in files]
    if (folder / "labels.json").exists():
        return "prometheus-dump", series
    nested = any(path.parent != folder for path in files)
    return ("ms-cloud" if nested else "netman-kpi-sample"), series


def _nab(folder: Path) -> list[LabelledSeries]:
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text("utf-8"))
    there = {path.relative_to(folder / "data").as_posix() for path in folder.rglob("*.csv")}
    for names, lack in (
        (sorted(windows.keys() - there), "labelled files are not there"),
        (sorted(there - windows.keys()), "files have no entry in the labels"),
    ):
        if names:
            print(f"{folder}: {len(names)} {lack} ({names[0]}, ...); skipped.", file=sys.stderr)
    both = sorted(there & windows.keys())
    if not both:
        raise SystemExit(f"{folder}: none of the labelled files is there.")
    return [_nab_file(folder, name, windows[name]) for name in both]


def _nab_file(folder: Path, name: str, windows: list[list[str]]) -> LabelledSeries:
    header, rows = _rows(folder / "data" / name)
    del header
    times = np.array([_seconds(row[0]) for row in rows])
    labels = np.zeros(len(rows), dtype=bool)
    ends = []
    for left, right in windows:
        first = int(np.flatnonzero(times == _seconds(left))[0])
        last = int(np.flatnonzero(times == _seconds(right))[0])
        labels[first : last + 1] = True
        ends.append((first, last))
    return LabelledSeries(
        name=name,
        stamps=tuple(row[0] for row in rows),
        times_s=times,
        values=np.array([float(row[1]) for row in rows]),
        labels=labels,
        windows=tuple(sorted(ends)),
        labelled=True,
    )


def _plain(folder: Path, path: Path) -> LabelledSeries:
    header, rows = _rows(path)
    has_labels = len(header) > 2
    return LabelledSeries(
        name=path.relative_to(folder).as_posix().removeprefix("data/"),
        stamps=tuple(row[0] for row in rows),
        times_s=np.array([_seconds(row[0]) for row in rows]),
        values=np.array([float(row[1] or "nan") for row in rows]),
        labels=np.array([has_labels and float(row[2]) > 0 for row in rows]),
        windows=(),
        labelled=has_labels,
    )


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.reader(lines) if row]
    return rows[0], rows[1:]


def _seconds(stamp: str) -> float:
    try:
        return float(stamp)
    except ValueError:
        pass
    if "." in stamp:  # nanoseconds are more digits than datetime reads
        head, fraction = stamp.split(".", 1)
        stamp = f"{head}.{fraction[:6]}"
    when = datetime.fromisoformat(stamp)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
