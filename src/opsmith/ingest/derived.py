"""Series that are made from others: mean and quantile of histograms, shares of failed requests.

All are rates over the time between two scrapes, as `rate()` and `histogram_quantile()` make them.
Source: Prometheus documentation, "Histograms and summaries" and `histogram_quantile`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opsmith.ingest.samples import RawSeries
from opsmith.numerics.histogram import bucket_quantile

# Labels that say how a request ended, by the conventions of HTTP and gRPC client libraries.
STATUS_LABELS = (
    "code",
    "status",
    "status_code",
    "http_status",
    "http_status_code",
    "http_response_status_code",
    "http.response.status_code",
    "response_code",
    "grpc_code",
    "grpc_status",
    "outcome",
    "result",
)
QUANTILE = 0.95
_PROTOCOL = re.compile(r"[1-5](?:\d\d|xx)|ok|success|succeeded|true|0", re.IGNORECASE)
_FAILED_WORDS = frozenset(
    [
        "error",
        "errors",
        "failed",
        "failure",
        "fail",
        "exception",
        "server_error",
        "timeout",
        "unavailable",
        "internal",
        "unknown",
        "dataloss",
        "deadlineexceeded",
        "deadline_exceeded",
        "data_loss",
        "false",
    ]
)

Labels = tuple[tuple[str, str], ...]
Floats = NDArray[np.float64]


def with_derived(found: Sequence[RawSeries]) -> tuple[RawSeries, ...]:
    """The series, with those of histograms and status labels in a form that speaks for itself.

    A histogram (or summary) `x` gives `x:mean`, `x:p95` (not from a summary) and the counter
    `x_count`; its `x_bucket` and `x_sum` are left out. A counter `x` with a status label gives
    `x:error_ratio`, summed over that label; the counter itself stays.
    """
    counts, sums, buckets, others = _sorted_out(found)
    made: list[RawSeries] = []
    for (base, labels), members in sums.items():
        counted = counts.get((base, labels))
        if counted:
            made.extend(_mean(base, labels, members, counted))
    for (base, labels), members in buckets.items():
        made.extend(_quantile(base, labels, members))
    timed = [series for group in counts.values() for series in group]
    ratios = _error_ratios([*others, *timed])
    return (*others, *timed, *made, *ratios)


def increase(values: Floats) -> Floats:
    """Growth of a counter between samples, (n,) to (n - 1,); a reset counts from zero.

    >>> increase(np.array([3.0, 5.0, 1.0])).tolist()
    [2.0, 1.0]
    """
    steps = np.diff(values)
    return np.where(steps < 0, values[1:], steps)


def is_failure(status: str) -> bool:
    """Whether a status label says that the server failed.

    >>> [is_failure(status) for status in ("200", "404", "503", "5xx", "DEADLINE_EXCEEDED")]
    [False, False, True, True, True]
    """
    return (len(status) == 3 and status.startswith("5")) or status.lower() in _FAILED_WORDS  # noqa: PLR2004 - an HTTP status


Groups = dict[tuple[str, Labels], list[RawSeries]]


def _sorted_out(found: Iterable[RawSeries]) -> tuple[Groups, Groups, Groups, list[RawSeries]]:
    """Counts, sums and buckets by base name and labels without status, and all other series."""
    counts: Groups = defaultdict(list)
    sums: Groups = defaultdict(list)
    buckets: Groups = defaultdict(list)
    others: list[RawSeries] = []
    groups = {"_count": counts, "_sum": sums, "_bucket": buckets}
    summed = {
        (series.name[:-4], series.labels) for series in found if series.name.endswith("_sum")
    }
    for series in found:
        base, mark, suffix = series.name.rpartition("_")
        group = groups.get(mark + suffix)
        labels = _without(series.labels, ("le",))
        if group is None or (base, labels) not in summed:
            if not series.name.endswith("_created"):
                others.append(series)
            continue
        group[base, _without(labels, STATUS_LABELS)].append(replace(series, declared="counter"))
    return counts, sums, buckets, others


def _without(labels: Labels, dropped: Sequence[str]) -> Labels:
    return tuple(pair for pair in labels if pair[0] not in dropped)


def _mean(
    base: str, labels: Labels, sums: list[RawSeries], counts: list[RawSeries]
) -> list[RawSeries]:
    times, (total, number) = _growth([sums, counts])
    if not times.size:
        return []
    values = np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)
    return [_gauge(f"{base}:mean", labels, times, values)]


def _quantile(base: str, labels: Labels, members: list[RawSeries]) -> list[RawSeries]:
    by_edge: dict[float, list[RawSeries]] = defaultdict(list)
    for series in members:
        try:
            by_edge[float(dict(series.labels)["le"])].append(series)
        except (KeyError, ValueError):
            continue
    edges = np.array(sorted(by_edge))
    if edges.size < 2 or not np.isinf(edges[-1]):  # noqa: PLR2004 - one finite edge and +Inf
        return []
    times, grown = _growth([by_edge[edge] for edge in edges])
    if not times.size:
        return []
    values = bucket_quantile(QUANTILE, edges, np.maximum.accumulate(np.stack(grown), axis=0))
    return [_gauge(f"{base}:p{QUANTILE * 100:.0f}", labels, times, values)]


def _error_ratios(found: Iterable[RawSeries]) -> list[RawSeries]:
    groups: Groups = defaultdict(list)
    for series in found:
        counted = series.declared == "counter" or series.name.endswith("_total")
        if counted and any(name in STATUS_LABELS for name, _ in series.labels):
            groups[series.name, _without(series.labels, STATUS_LABELS)].append(series)
    made = []
    for (name, labels), members in groups.items():
        failed = [series for series in members if _failed(dict(series.labels))]
        # A label such as result="miss" tells an outcome, but not whether anything failed.
        telling = bool(failed) or any(_is_protocol(dict(series.labels)) for series in members)
        if telling and len(members) > len(failed):
            times, (bad, number) = _growth([failed, members])
            values = np.divide(bad, number, out=np.full_like(bad, np.nan), where=number > 0)
            made.append(_gauge(f"{name}:error_ratio", labels, times, values))
    return made


def _failed(labels: Mapping[str, str]) -> bool:
    return any(is_failure(labels[name]) for name in STATUS_LABELS if name in labels)


def _is_protocol(labels: Mapping[str, str]) -> bool:
    return any(_PROTOCOL.fullmatch(labels[name]) for name in STATUS_LABELS if name in labels)


def _growth(groups: Sequence[list[RawSeries]]) -> tuple[Floats, list[Floats]]:
    """Summed growth of each group over one common grid of times.

    A member that begins later than the grid began at zero: its first value is its growth.
    """
    members = [series for group in groups for series in group]
    if not members:
        return np.empty(0), [np.empty(0) for _ in groups]
    first = members[0].times_s
    same = all(np.array_equal(series.times_s, first) for series in members)
    grid = first if same else np.unique(np.concatenate([series.times_s for series in members]))
    return grid[1:], [_group_growth(group, grid) for group in groups]


def _group_growth(group: list[RawSeries], grid: Floats) -> Floats:
    grown = np.zeros(max(grid.size - 1, 0))
    for series in group:
        known = np.isfinite(series.values)
        times, values = series.times_s[known], series.values[known]
        if times.size == 0:
            continue
        steps = increase(values)
        if times[0] > grid[0]:
            times, steps = np.insert(times, 0, grid[0]), np.insert(steps, 0, values[0])
        np.add.at(grown, np.searchsorted(grid, times[1:]) - 1, steps)
    return grown


def _gauge(name: str, labels: Labels, times_s: Floats, values: Floats) -> RawSeries:
    return RawSeries(name=name, labels=labels, declared="gauge", times_s=times_s, values=values)
