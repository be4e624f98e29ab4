"""Scene: a recording with what all channels need of it, computed once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opsmith.localise.dating import sound_periods
from opsmith.localise.graph import CallGraph, build_graph
from opsmith.localise.onset import Shifts, measure_shifts
from opsmith.localise.periods import Periods, read_periods
from opsmith.localise.traces import Traces, read_traces
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording
from opsmith.nouns.series import Aspect, Series


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """What a channel looks at.

    periods, shifts, traces: None where the recording has no time, no series, no spans.
    shifts: row i is the recording's series i; rows: those of an entity and aspect.
    """

    recording: Recording
    graph: CallGraph
    rows: Mapping[tuple[Entity, Aspect], tuple[int, ...]]
    periods: Periods | None = None
    shifts: Shifts | None = None
    traces: Traces | None = None

    def series_of(self, entity: Entity, aspect: Aspect) -> tuple[tuple[int, Series], ...]:
        """The entity's series of one aspect, with their rows."""
        series = self.recording.series
        return tuple((row, series[row]) for row in self.rows.get((entity, aspect), ()))

    def edges_may_be_blamed(self) -> bool:
        """Whether an edge can be the answer; else its trouble is its callee's."""
        candidates = self.recording.candidates
        return not candidates or any(one.kind is EntityKind.EDGE for one in candidates)


def read_scene(recording: Recording) -> Scene:
    """Measure what channels share. Linear in series, spans and edges but for sorting."""
    announced = read_periods(recording)
    periods = sound_periods(recording, announced) if announced else None
    spans = recording.spans
    shifts = measure_shifts(recording.series, periods) if periods and recording.series else None
    traces = read_traces(spans, periods) if periods and spans and len(spans.trace) else None
    calls: set[tuple[Entity, Entity]] = traces.calls() if traces else set()
    calls |= {(one.caller, one.entity) for one in recording.alerts if one.caller is not None}
    return Scene(
        recording=recording,
        graph=build_graph(recording.topology.edges, calls),
        rows=rows_of(recording.series),
        periods=periods,
        shifts=shifts,
        traces=traces,
    )


def rows_of(series: Sequence[Series]) -> dict[tuple[Entity, Aspect], tuple[int, ...]]:
    """The places of the series of each entity and aspect."""
    found: defaultdict[tuple[Entity, Aspect], list[int]] = defaultdict(list)
    for row, one in enumerate(series):
        if one.entity is not None:
            found[one.entity, one.aspect].append(row)
    return {key: tuple(rows) for key, rows in found.items()}
