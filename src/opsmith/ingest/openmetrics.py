"""OpenMetrics text: what `promtool tsdb create-blocks-from openmetrics` reads.

Tolerant where that tool is strict: series may be interleaved, out of order or cut off.
Source: OpenMetrics 1.0, "Text Format"; Prometheus exposition format 0.0.4 is read too.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from opsmith.ingest.files import lines
from opsmith.ingest.losses import Losses
from opsmith.ingest.samples import RawSeries, cleaned

# Prometheus refuses label values beyond far smaller limits where one is set.
LONGEST_SAMPLE_BYTES = 64 * 2**10

_SAMPLE = re.compile(
    r"(?P<head>(?P<name>[a-zA-Z_:][\w:.]*)?(?:\{(?P<labels>(?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*)\})?)"
    r"[ \t]+(?P<value>[^\s{}]+)(?:[ \t]+(?P<at>[^\s{}#]+))?(?:[ \t]+#[ \t].*)?\s*"
)
_LABEL = re.compile(
    r"\s*(?:(?P<name>[^\s=,\"{}]+)|\"(?P<quoted>(?:[^\"\\]|\\.)*)\")\s*"
    r"(?:=\s*\"(?P<value>(?:[^\"\\]|\\.)*)\")?\s*(?:,|$)"
)
_ESCAPED = re.compile(r"\\(.)")
_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created", "_info")

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Column:
    times_s: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))


def read(path: Path, losses: Losses) -> tuple[RawSeries, ...]:
    """All series of an OpenMetrics file (or its `.gz`), cleaned; see `cleaned`."""
    text = _Text(path.name, losses)
    for number, line in lines(path, "metrics", losses):
        text.take(number, line)
    if not text.ended:
        losses.note("metrics", f"{path.name}: no `# EOF` at its end, so it was cut off; used.")
    return cleaned(text.series(), path.name, losses)


class _Text:
    """The series of one text, gathered line by line."""

    def __init__(self, file: str, losses: Losses) -> None:
        self.ended = False
        self._file = file
        self._losses = losses
        self._types: dict[str, str] = {}
        # By the exact bytes before the value: most lines differ from an earlier one only after it.
        self._heads: dict[bytes, _Column] = {}
        self._columns: dict[tuple[str, Labels], _Column] = {}

    def take(self, number: int, line: bytes) -> None:
        """Read one line."""
        parts = line.rsplit(b" ", 2)
        column = self._heads.get(parts[0])
        if column is None:
            self._take_slowly(number, line)
            return
        try:
            value, at = float(parts[1]), float(parts[2])
        except (ValueError, IndexError):
            self._take_slowly(number, line)
            return
        column.values.append(value)
        column.times_s.append(at)

    def series(self) -> list[RawSeries]:
        """What was gathered."""
        return [
            RawSeries(
                name=name,
                labels=labels,
                declared=self._declared(name),
                times_s=np.array(column.times_s, dtype=np.float64),
                values=np.array(column.values, dtype=np.float64),
            )
            for (name, labels), column in self._columns.items()
        ]

    def _take_slowly(self, number: int, line: bytes) -> None:
        if len(line) > LONGEST_SAMPLE_BYTES:
            what = f"longer than {LONGEST_SAMPLE_BYTES // 2**10} KiB; the line is dropped."
            self._losses.line("metrics", self._file, number, what)
        elif line.startswith(b"#"):
            self._take_directive(line.decode("utf-8", errors="replace"))
        elif line.strip():
            self._take_sample(number, line.decode("utf-8", errors="replace"))

    def _take_directive(self, line: str) -> None:
        match line.split():
            case ["#", "EOF"]:
                self.ended = True
            case ["#", "TYPE", name, declared]:
                self._types[name] = declared

    def _take_sample(self, number: int, line: str) -> None:
        found = _SAMPLE.fullmatch(line)
        key = _identity(found["name"], found["labels"] or "") if found else None
        value = _number(found["value"]) if found else None
        if found is None or key is None or value is None:
            self._losses.line("metrics", self._file, number, "not an OpenMetrics sample; dropped.")
            return
        at = _number(found["at"] or "")
        if at is None:
            self._losses.line("metrics", self._file, number, "a sample without a time; dropped.")
            return
        column = self._columns.setdefault(key, _Column())
        self._heads[found["head"].encode()] = column
        column.values.append(value)
        column.times_s.append(at)

    def _declared(self, name: str) -> str:
        for suffix in _SUFFIXES:
            declared = self._types.get(name.removesuffix(suffix))
            if declared and name.endswith(suffix):
                return declared
        return self._types.get(name, "")


def _identity(name: str | None, inside: str) -> tuple[str, Labels] | None:
    """The metric's name and its labels; None when the braces hold something else."""
    labels: dict[str, str] = {}
    end = 0
    for found in _LABEL.finditer(inside):
        if found.start() != end:
            return None
        end = found.end()
        label = found["name"] or _unescaped(found["quoted"] or "")
        if found["value"] is not None:
            labels[label] = _unescaped(found["value"])
        elif found["quoted"] is not None and name is None:
            name = label  # {"any name", label="value"}: the UTF-8 form of Prometheus 3
        else:
            return None
    if inside[end:].strip() or not name:
        return None
    return name, tuple(sorted(labels.items()))


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
