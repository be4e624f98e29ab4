"""Assembly: cleaned samples become Series with entity, aspect, unit and kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from opsmith.ingest import label_rules
from opsmith.ingest.derived import with_derived
from opsmith.ingest.naming import Naming
from opsmith.ingest.samples import RawSeries
from opsmith.nouns.entity import Entity
from opsmith.nouns.redaction import redact_pairs
from opsmith.nouns.series import Meaning, MetricKind, Series
from opsmith.nouns.topology import Edge, EdgeKind

# A counter falls only when its process starts anew; a gauge falls about every other step, so that
# one that falls once in ten steps or more seldom is none: by chance 1 in 100 of 10 steps would.
_MOST_RESETS = 0.1


def series(
    found: Sequence[RawSeries], naming: Naming
) -> tuple[tuple[Series, ...], tuple[Edge, ...]]:
    """The series with their meaning, and the edges that their labels tell (calls, instances).

    An instance that is the only one of its service is taken for the service itself.
    """
    raw = with_derived(found)
    meanings = [
        label_rules.describe(one.name, dict(one.labels), declared=one.declared, naming=naming)
        for one in raw
    ]
    lone = _lone_instances(meanings)
    made = tuple(
        _made(one, meaning, lone.get(meaning.entity, meaning.entity) if meaning.entity else None)
        for one, meaning in zip(raw, meanings, strict=True)
    )
    return made, (*_calls(raw, naming), *_instances(meanings, lone))


def _made(raw: RawSeries, meaning: Meaning, entity: Entity | None) -> Series:
    counts = meaning.kind is MetricKind.COUNTER and (raw.declared or rises(raw))
    return Series(
        name=raw.name,
        labels=redact_pairs(raw.labels),
        entity=entity,
        aspect=meaning.aspect,
        unit=meaning.unit,
        kind=MetricKind.COUNTER if counts else MetricKind.GAUGE,
        times_s=raw.times_s,
        values=raw.values if meaning.scale == 1.0 else raw.values * meaning.scale,
    )


def rises(raw: RawSeries) -> bool:
    """Whether the values behave like a counter's: they hardly ever fall."""
    steps = np.diff(raw.values)
    return bool((steps < 0).sum() <= _MOST_RESETS * max(steps.size, 1))


def _lone_instances(meanings: Iterable[Meaning]) -> dict[Entity, Entity]:
    """Services by their only instance."""
    instances: dict[Entity, set[Entity]] = defaultdict(set)
    for meaning in meanings:
        if meaning.entity and meaning.part_of:
            instances[meaning.part_of].add(meaning.entity)
    return {min(them): service for service, them in instances.items() if len(them) == 1}


def _instances(meanings: Iterable[Meaning], lone: dict[Entity, Entity]) -> list[Edge]:
    joined = {
        (meaning.entity, meaning.part_of)
        for meaning in meanings
        if meaning.entity and meaning.part_of and meaning.entity not in lone
    }
    return [
        Edge(source=one, target=service, kind=EdgeKind.INSTANCE_OF, origin="metrics")
        for one, service in sorted(joined)
        if one != service
    ]


def _calls(found: Iterable[RawSeries], naming: Naming) -> list[Edge]:
    called = {label_rules.call(dict(raw.labels), naming) for raw in found}
    return [
        Edge(source=ends[0], target=ends[1], kind=EdgeKind.CALLS, origin="metrics")
        for ends in sorted(ends for ends in called if ends is not None)
    ]
