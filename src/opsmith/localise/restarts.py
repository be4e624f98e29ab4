"""Restarts: how often an entity began anew in an incident, and whether for want of memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.onset import EARLIEST_START_S
from opsmith.localise.scene import Scene
from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect, MetricKind, Series

# One start may be a deployment or somebody's hand; a loop comes back.
LOOP = 2


def starts(scene: Scene, entity: Entity) -> int:
    """How often the entity began anew in the incident, the most that one of its series tells."""
    return max(
        (
            happened(scene, one)
            for _, one in scene.series_of(entity, Aspect.RESTARTS)
            if "oom" not in one.name.lower()
        ),
        default=0,
    )


def unasked_starts(scene: Scene, entity: Entity) -> int:
    """How often it began anew without anybody having asked: a rollout explains one start each."""
    if scene.periods is None:
        return 0
    rollouts = [
        change.at.timestamp() for change in scene.recording.changes if change.entity == entity
    ]
    asked = int(np.sum(scene.periods.incident(np.array(rollouts, dtype=np.float64))))
    return max(starts(scene, entity) - asked, 0)


def killed_for_memory(scene: Scene, entity: Entity) -> bool:
    """Whether a series counts kills at a memory limit in the incident."""
    return any(
        happened(scene, one) > 0
        for _, one in scene.series_of(entity, Aspect.RESTARTS)
        if "oom" in one.name.lower()
    )


def happened(scene: Scene, one: Series) -> int:
    """How many starts or kills a series tells of in the incident."""
    periods = scene.periods
    values = one.values
    seen = np.isfinite(values)
    if periods is None or np.count_nonzero(seen) < 2:  # noqa: PLR2004 - a step has two ends
        return 0
    times_s, values = one.times_s[seen], values[seen]
    inside = periods.incident(times_s[1:])
    return int(np.sum(steps(one, values)[inside]))


def steps(one: Series, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n - 1,) the starts between samples; of `up` and of uptimes the ends."""
    change = np.diff(values)
    if float(values.max()) > EARLIEST_START_S:
        return (change > 1.0).astype(np.float64)
    if one.kind is MetricKind.COUNTER or "restart" in one.name.lower():
        return np.maximum(change, 0.0)
    return (change < 0.0).astype(np.float64)
