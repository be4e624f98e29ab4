"""Resources: processor, memory, pools and the like that left what is usual for their owner.

Source: the USE method (Gregg 2013): utilisation, saturation and errors of every resource.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from opsmith.localise.findings import Findings
from opsmith.localise.onset import Shifts
from opsmith.localise.periods import moment
from opsmith.localise.scene import Scene
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit

# How many fault-free spreads, of a scale that already holds the tail, noise reaches now and
# then: development noise stays mostly below 6, real processor faults are 29 and more.
NOISE_Z = 6.0
RESOURCES = (
    Aspect.CPU,
    Aspect.MEMORY,
    Aspect.DISK,
    Aspect.POOL,
    Aspect.FILES,
    Aspect.QUEUE,
    Aspect.RESTARTS,
)
# Percent are easier to read than a ratio; the rest is said as it is.
SAID = {Unit.RATIO: ("%", 100.0), Unit.BYTES: ("MiB", 2.0**-20), Unit.SECONDS: ("s", 1.0)}


def resources(scene: Scene) -> Findings:
    """How far an entity's resources rose; strength is the largest rise over `NOISE_Z`.

    Features: `<aspect>`, the largest rise of that aspect over `NOISE_Z`.
    """
    features: dict[str, dict[Entity, float]] = defaultdict(dict)
    strength: dict[Entity, float] = {}
    evidence: defaultdict[Entity, list[Evidence]] = defaultdict(list)
    shifts = scene.shifts
    if shifts is None:
        return Findings(channel=Channel.RESOURCE, strength={}, evidence={})
    rise_z = np.nan_to_num(shifts.rise_z, nan=0.0)
    for row, one in enumerate(scene.recording.series):
        if one.entity is None or one.aspect not in RESOURCES or rise_z[row] <= 0.0:
            continue
        found = float(rise_z[row]) / NOISE_Z
        column = features[str(one.aspect)]
        column[one.entity] = max(column.get(one.entity, 0.0), found)
        strength[one.entity] = max(strength.get(one.entity, 0.0), found)
        if found >= 1.0 / NOISE_Z:
            evidence[one.entity].append(fact(one, one.entity, shifts, row, found))
    return Findings(
        channel=Channel.RESOURCE,
        strength=strength,
        evidence={
            entity: tuple(sorted(facts, key=lambda one: -one.strength)[:MOST])
            for entity, facts in evidence.items()
        },
        features=features,
    )


MOST = 4


def fact(one: Series, entity: Entity, shifts: Shifts, row: int, strength: float) -> Evidence:
    """The rise in words, with its figures."""
    unit, scale = SAID.get(one.unit, (str(one.unit).replace("_", " "), 1.0))
    unit = "" if one.unit is Unit.UNKNOWN else f" {unit}"
    unit += " a second" if one.kind is MetricKind.COUNTER else ""
    before, after = float(shifts.before[row]), float(shifts.high[row])
    return Evidence(
        channel=Channel.RESOURCE,
        claim=(
            f"{one.aspect} of {entity} ({one.name}) rose from {before * scale:.3g} to"
            f" {after * scale:.3g}{unit}, {strength * NOISE_Z:.1f} times its usual spread"
        ),
        strength=strength,
        entity=entity,
        unit=str(one.unit),
        before=before,
        after=after,
        at=moment(float(shifts.onset_s[row])),
        series=(one.key,),
    )
