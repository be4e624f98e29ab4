"""exposition: every sample that Prometheus holds of a stretch of time, as OpenMetrics text.

Source: OpenMetrics 1.0; `promtool tsdb create-blocks-from openmetrics` reads the result.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import httpx

from opsmith_lab import running
from opsmith_lab.layout import Lab
from opsmith_lab.shop.process import as_object, rows_of

# What Prometheus says of itself and of its own scrapes is no telemetry of the shop.
SELECTOR = '{job=~"shop|containers|stores",__name__!~"scrape_.*|.*_created"}'
SUFFIXES = ("_bucket", "_count", "_sum", "_total")


def write(lab: Lab, path: Path, start: datetime, end: datetime) -> str:
    """Write all samples between two times to a gzip file; says how many."""
    seconds = int((end - start).total_seconds())
    query: dict[str, str | float] = {
        "query": f"{SELECTOR}[{seconds}s]",
        "time": end.timestamp(),
    }
    found = rows_of(as_object(_get(lab, "/api/v1/query", query)).get("result"))
    kinds = _kinds(lab)
    families: dict[str, list[dict[str, object]]] = {}
    for series in found:
        name = str(as_object(series["metric"])["__name__"])
        families.setdefault(_family(name, kinds), []).append(series)
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(_lines(families, kinds))
    return f"metrics: {len(found)} series"


def _lines(
    families: Mapping[str, list[dict[str, object]]], kinds: Mapping[str, str]
) -> Iterator[str]:
    for family, members in sorted(families.items()):
        yield f"# TYPE {family} {kinds.get(family, 'unknown')}\n"
        for series in members:
            labels = {key: str(value) for key, value in as_object(series["metric"]).items()}
            head = f"{labels.pop('__name__')}{{{_inside(labels)}}}"
            values = series["values"]
            for at, value in values if isinstance(values, list) else ():
                yield f"{head} {value} {at}\n"
    yield "# EOF\n"


def _inside(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _kinds(lab: Lab) -> dict[str, str]:
    """The declared type of each family, named as OpenMetrics does: counters without `_total`."""
    kinds: dict[str, str] = {}
    for name, entries in as_object(_get(lab, "/api/v1/metadata", {})).items():
        for entry in rows_of(entries):
            kind = str(entry["type"])
            kinds[name.removesuffix("_total") if kind == "counter" else name] = kind
    return kinds


def _family(name: str, kinds: Mapping[str, str]) -> str:
    candidates: Iterable[str] = (name.removesuffix(suffix) for suffix in SUFFIXES)
    return next((one for one in candidates if one != name and one in kinds), name)


def _get(lab: Lab, path: str, parameters: Mapping[str, str | float]) -> object:
    try:
        answer = httpx.get(lab.url("prometheus") + path, params=dict(parameters), timeout=60)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise running.NoLab(f"Prometheus does not answer: {error}") from error
    return as_object(answer.json())["data"]
