"""Span series: what the spans behind a fact look like over time, for facts without a metric."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.signals import Spans

# One value every two pixels of a small plot would be 160; medians want some spans each.
_BUCKETS = 48


def series_of_spans(spans: Spans, entity: Entity, channel: Channel) -> tuple[Series, ...]:
    """The series that a fact of this channel speaks of; none where spans do not show it.

    self_share: median own time (duration less that of the children);
    edge_gap: of an edge, median time by which the caller's span outlasts the callee's, of anything
        else its own time;
    errors: share of failed spans. A bucket without a span is a gap (NaN).
    """
    rows, values = _values(spans, entity, channel)
    known = np.isfinite(values) & np.isfinite(spans.start_s[rows])
    rows, values = rows[known], values[known]
    if rows.size == 0:
        return ()
    edges = np.linspace(spans.start_s[rows].min(), spans.start_s[rows].max(), _BUCKETS + 1)
    bucket = np.clip(np.searchsorted(edges, spans.start_s[rows], "right") - 1, 0, _BUCKETS - 1)
    summary = np.mean if channel is Channel.ERRORS else np.median
    summed = [
        float(summary(values[bucket == i])) if (bucket == i).any() else np.nan
        for i in range(_BUCKETS)
    ]
    middles = (edges[:-1] + edges[1:]) / 2
    if not (np.diff(middles) > 0).all():
        return ()
    errors = channel is Channel.ERRORS
    between = channel is Channel.EDGE_GAP and entity.ends is not None
    what = "time between caller and callee" if between else "own time of spans"
    return (
        Series(
            name=f"{'failed spans' if errors else what} of {entity}",
            labels=(),
            entity=entity,
            aspect=Aspect.ERRORS if errors else Aspect.LATENCY,
            unit=Unit.RATIO if errors else Unit.SECONDS,
            kind=MetricKind.GAUGE,
            times_s=middles,
            values=np.asarray(summed),
        ),
    )


def _values(
    spans: Spans, entity: Entity, channel: Channel
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    if channel is Channel.EDGE_GAP and entity.ends:
        rows = _calls(spans, entity.ends)
        return rows, spans.duration_s[spans.parent[rows]] - spans.duration_s[rows]
    if channel in {Channel.SELF_SHARE, Channel.EDGE_GAP}:
        rows = _rows_of(spans, entity)
        return rows, _own_time(spans)[rows]
    if channel is Channel.ERRORS:
        rows = _rows_of(spans, entity)
        return rows, spans.failed[rows].astype(np.float64)
    return np.empty(0, dtype=np.intp), np.empty(0)


def _rows_of(spans: Spans, entity: Entity) -> NDArray[np.intp]:
    if entity in spans.entities:
        return np.flatnonzero(spans.entity == spans.entities.index(entity))
    return _calls(spans, entity.ends) if entity.ends else np.empty(0, dtype=np.intp)


def _calls(spans: Spans, ends: tuple[str, str]) -> NDArray[np.intp]:
    """Rows executed by the callee under a parent span of the caller."""
    named = [
        np.isin(spans.entity, [i for i, one in enumerate(spans.entities) if one.name == end])
        for end in ends
    ]
    return np.flatnonzero(named[1] & (spans.parent >= 0) & named[0][spans.parent])


def _own_time(spans: Spans) -> NDArray[np.float64]:
    inner = np.flatnonzero((spans.parent >= 0) & np.isfinite(spans.duration_s))
    children = np.bincount(
        spans.parent[inner], weights=spans.duration_s[inner], minlength=spans.duration_s.size
    )
    # Children that run side by side can outlast their parent; its own time is then nothing.
    return np.maximum(spans.duration_s - children, 0.0)
