"""The metric catalogue: which PromQL tells which figure, read from YAML and checked.

A user's file has the same form as the one that is shipped, and is asked first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from opsmith.errors import BadInput

LARGEST_FILE = 1_000_000
FigureUnit = Literal[
    "seconds",
    "milliseconds",
    "ratio",
    "percent",
    "bytes",
    "per_second",
    "bytes_per_second",
    "count",
    "cores",
]
# One figure, three quantiles: an entry for `latency` serves all of them.
QUANTILES: Mapping[str, float] = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}
PLACES = ("target", "by", "rate", "q")
_PLACE = re.compile(r"\$(\w+)")
_NAME = r"^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^{}$]+\})?$"
_BRACES = re.compile(r"\{(?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*\}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_CLOSING = {")": "(", "]": "[", "}": "{"}

# Safe, and in C where it is built so: every first question waits for it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How one figure is asked for where one naming convention is in use.

    metric: its name in tasks, or `latency` for all quantiles of it. family: the convention.
    needs: the selector of a series that tells whether the convention is in use.
    labels: target slot -> labels that may hold its name, the likeliest first.
    """

    metric: str
    family: str
    unit: FigureUnit
    needs: str
    promql: str
    labels: Mapping[str, tuple[str, ...]]
    origin: str = "opsmith"

    def tells(self, metric: str) -> bool:
        """Whether it tells the figure of that name."""
        return self.metric == metric or (self.metric == "latency" and metric in QUANTILES)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCatalogue:
    """Entries in the order in which they are tried."""

    entries: tuple[Entry, ...]

    def entries_for(self, metric: str) -> tuple[Entry, ...]:
        """Every entry that tells a figure."""
        return tuple(entry for entry in self.entries if entry.tells(metric))


class _EntryShape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    metric: str = Field(pattern=r"^[a-z0-9_]{2,40}$")
    family: str = Field(pattern=r"^[a-zA-Z0-9_.-]{1,40}$")
    unit: FigureUnit
    labels: str | dict[str, list[str]] = "app"
    needs: str = Field(pattern=_NAME, max_length=300)
    promql: str = Field(min_length=1, max_length=4000)


class _FileShape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: Literal[1]
    labels: dict[str, dict[str, list[str]]] = Field(default_factory=dict)
    entries: list[_EntryShape]


@cache
def shipped() -> MetricCatalogue:
    """The catalogue that comes with opsmith."""
    text = (files("opsmith.answer") / "metrics.yaml").read_text(encoding="utf-8")
    return _read(text, origin="opsmith", sets={})


def load(path: Path | None) -> MetricCatalogue:
    """The user's entries, then the shipped ones. Raises `BadInput` with every problem."""
    if path is None:
        return shipped()
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The metric catalogue {path.name!r} cannot be read: {error}.") from error
    if len(raw) > LARGEST_FILE:
        raise BadInput(f"A metric catalogue has at most {LARGEST_FILE} bytes.")
    own = _read(text, origin=path.name, sets=_sets(_shipped_shape()))
    return MetricCatalogue(entries=(*own.entries, *shipped().entries))


def _shipped_shape() -> _FileShape:
    text = (files("opsmith.answer") / "metrics.yaml").read_text(encoding="utf-8")
    return _shape(text, "opsmith")


def _sets(shape: _FileShape) -> dict[str, dict[str, list[str]]]:
    return shape.labels


def _shape(text: str, origin: str) -> _FileShape:
    try:
        return _FileShape.model_validate(yaml.load(text, Loader=_LOADER))  # noqa: S506 - safe
    except yaml.YAMLError as error:
        raise BadInput(f"{origin} is no YAML: {' '.join(str(error).split())[:200]}") from error
    except ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise BadInput(
            f"{origin}: {'; '.join(told[:5])}.",
            hint="docs/how-to/metric-catalogue.md shows the form.",
        ) from error


def _read(text: str, *, origin: str, sets: Mapping[str, dict[str, list[str]]]) -> MetricCatalogue:
    shape = _shape(text, origin)
    known = {**sets, **shape.labels}
    problems = [
        f"entry {number} ({entry.metric}, {entry.family}): {problem}"
        for number, entry in enumerate(shape.entries, start=1)
        for problem in _problems(entry, known)
    ]
    if problems:
        raise BadInput(f"{origin}: {'; '.join(problems[:5])}.")
    return MetricCatalogue(
        entries=tuple(_entry(one, known, origin) for one in shape.entries),
    )


def _entry(shape: _EntryShape, sets: Mapping[str, dict[str, list[str]]], origin: str) -> Entry:
    labels = sets[shape.labels] if isinstance(shape.labels, str) else shape.labels
    return Entry(
        metric=shape.metric,
        family=shape.family,
        unit=shape.unit,
        needs=shape.needs,
        promql=shape.promql,
        labels={slot: tuple(names) for slot, names in labels.items()},
        origin=origin,
    )


def _problems(entry: _EntryShape, sets: Mapping[str, dict[str, list[str]]]) -> list[str]:
    found = []
    if isinstance(entry.labels, str) and entry.labels not in sets:
        found.append(f"no label set {entry.labels!r} (there are {', '.join(sorted(sets))})")
    elif not all(
        _LABEL.fullmatch(name)
        for names in (
            sets[entry.labels] if isinstance(entry.labels, str) else entry.labels
        ).values()
        for name in names
    ):
        found.append("a label's name is letters, digits and _")
    unknown = sorted(set(_PLACE.findall(entry.promql)) - set(PLACES))
    if unknown:
        found.append(f"unknown place ${unknown[0]} (there are ${', $'.join(PLACES)})")
    if "$target" not in entry.promql:
        found.append("the promql lacks $target: it would tell of everything at once")
    if "$target" in _BRACES.sub("", entry.promql):
        found.append("$target stands inside braces, as in up{$target}")
    if ("$q" in entry.promql) is not (entry.metric == "latency"):
        found.append("`latency` uses $q, and nothing else does")
    if not _balanced(entry.promql):
        found.append("its brackets do not match")
    return found


def _balanced(promql: str) -> bool:
    opened: list[str] = []
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", promql):
        if sign in "([{":
            opened.append(sign)
        elif sign in _CLOSING and (not opened or opened.pop() != _CLOSING[sign]):
            return False
    return not opened


UNITS: tuple[str, ...] = get_args(FigureUnit)
