"""Metrics that were recorded: series in memory, answering PromQL as Prometheus would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from opsmith.backends.metrics import promql, selector
from opsmith.backends.metrics.promql_answer import Answering, Row
from opsmith.errors import BadInput
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.sign import AlertRule

# As many as a server is asked for; more is a mistake in the step.
MOST_STEPS = 1_100_000

Labels = tuple[tuple[str, str], ...]


class RecordedMetrics:
    """The metrics seam over recorded series; `promql` says which part of PromQL it answers."""

    def __init__(self, recorded: Sequence[Series]) -> None:
        self._recorded = tuple(one for one in recorded if one.times_s.size)
        self._labels = [{**dict(one.labels), "__name__": one.name} for one in self._recorded]

    async def query(self, promql: str, *, at: datetime) -> tuple[Series, ...]:
        """Each matching series with its one sample at `at`; with `[5m]` all of five minutes."""
        if (ranged := selector.ranged(promql)) is not None:
            plain, seconds = ranged
            found = (_within(one, _unix(at) - seconds, _unix(at)) for one in self._chosen(plain))
            return tuple(one for one in found if one.times_s.size)
        return self._sampled(promql, np.array([_unix(at)]))

    async def query_range(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Each matching series from `start` to `end`, both included, one sample a `step`."""
        first, last, seconds = _unix(start), _unix(end), step.total_seconds()
        if seconds <= 0 or last < first:
            raise BadInput("A range needs a step above zero and an end not before its start.")
        steps = int((last - first) / seconds + 1e-9)
        if steps > MOST_STEPS:
            raise BadInput(f"The range has more than {MOST_STEPS} steps; take a longer step.")
        grid = first + seconds * np.arange(steps + 1, dtype=np.float64)
        return self._sampled(promql, np.asarray(grid, dtype=np.float64))

    async def series(self, matcher: str, *, start: datetime, end: datetime) -> tuple[Labels, ...]:
        """The label sets (with `__name__`) of the series that match a selector in that time."""
        first, last = _unix(start), _unix(end)
        found = []
        for one in self._chosen(matcher):
            inside = (one.times_s >= first) & (one.times_s <= last) & ~np.isnan(one.values)
            if inside.any():
                found.append(tuple(sorted((*one.labels, ("__name__", one.name)))))
        return tuple(sorted(found))

    async def rules(self) -> tuple[AlertRule, ...]:
        """None: rules are not recorded."""
        return ()

    def _chosen(self, promql: str) -> tuple[Series, ...]:
        numbers = selector.chosen(selector.parse(promql), self._labels)
        return tuple(self._recorded[number] for number in numbers)

    def _sampled(self, text: str, grid_s: NDArray[np.float64]) -> tuple[Series, ...]:
        answering = Answering(self._recorded, self._labels, grid_s)
        found = (_series(row, grid_s) for row in answering.rows(promql.parse(text)))
        return tuple(one for one in found if one.times_s.size)


def _series(row: Row, grid_s: NDArray[np.float64]) -> Series:
    """What is left of a row without its gaps; computed values have no meaning of their own."""
    speaks = ~np.isnan(row.values)
    times, values = grid_s[speaks], row.values[speaks]
    if row.origin is not None:
        return replace(row.origin, times_s=times, values=values)
    return Series(
        name=row.name,
        labels=row.labels,
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=MetricKind.GAUGE,
        times_s=times,
        values=values,
    )


def _within(one: Series, start_s: float, end_s: float) -> Series:
    """The samples after the start and up to the end."""
    inside = (one.times_s > start_s) & (one.times_s <= end_s) & ~np.isnan(one.values)
    return replace(one, times_s=one.times_s[inside], values=one.values[inside])


def _unix(at: datetime) -> float:
    if at.tzinfo is None:
        raise BadInput("A time without a zone was asked for; give it in UTC.")
    return at.timestamp()
