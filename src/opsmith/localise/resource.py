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
    found = np.nan_to_num(shifts.rise_z, nan=0.0) / NOISE_Z
    for (entity, aspect), held in scene.rows.items():
        largest = max(float(found[row]) for row in held)
        if aspect not in RESOURCES or largest <= 0.0:
            continue
        features[str(aspect)][entity] = largest
        strength[entity] = max(strength.get(entity, 0.0), largest)
        for row in held:
            if found[row] >= 1.0 / NOISE_Z:
                one = scene.recording.series[row]
                evidence[entity].append(fact(one, entity, shifts, row, float(found[row])))
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
    is_rate = one.kind is MetricKind.COUNTER and one.aspect is not Aspect.RESTARTS
    unit += " a second" if is_rate else ""
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
