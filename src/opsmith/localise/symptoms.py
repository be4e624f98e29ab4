"""Symptoms: how ill each entity looks from outside, whoever is to blame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from opsmith.localise.gaps import LEAST_SPANS, NOISE, stretches
from opsmith.localise.periods import Periods
from opsmith.localise.scene import Scene
from opsmith.localise.self_share import WHAT
from opsmith.localise.traces import CLIENT, Traces
from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect

# Who changed less than this does not look ill.
ILL = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """change: its largest rise, in units of noise; error_rate: 0 to 1; latency_s: seconds.

    The last two are of the incident, 0 where unknown.
    """

    change: float = 0.0
    error_rate: float = 0.0
    latency_s: float = 0.0


Symptoms = Mapping[Entity, Symptom]


def symptoms_of(scene: Scene) -> Symptoms:
    """What series and spans show of each entity's latency and errors."""
    found = from_series(scene)
    if scene.traces is not None and scene.periods is not None:
        for entity, one in from_spans(scene.traces, scene.periods).items():
            found[entity] = worse(found.get(entity, Symptom()), one)
    return found


def from_series(scene: Scene) -> dict[Entity, Symptom]:
    """The largest rise of each entity's latency and error series."""
    found: dict[Entity, Symptom] = {}
    shifts = scene.shifts
    if shifts is None:
        return found
    for (entity, aspect), held in scene.rows.items():
        known = [row for row in held if np.isfinite(shifts.rise_z[row])]
        if aspect not in WHAT or not known:
            continue
        high = max(float(np.max(shifts.high[known])), 0.0)
        symptom = Symptom(
            change=float(np.max(shifts.rise_z[known])),
            error_rate=high if aspect is Aspect.ERRORS else 0.0,
            latency_s=high if aspect is Aspect.LATENCY else 0.0,
        )
        found[entity] = worse(found.get(entity, Symptom()), symptom)
    return found


def from_spans(traces: Traces, periods: Periods) -> dict[Entity, Symptom]:
    """Stretch and failures of the spans by which others reach each entity."""
    spans = traces.spans
    outer = ((traces.parent < 0) | traces.crosses) & (spans.side != CLIENT)
    row = np.flatnonzero(outer)
    entity = spans.entity[row].astype(np.int64)
    before = traces.before(periods.alarm_s)[traces.trace[row]]
    after = traces.after(periods.alarm_s)[traces.trace[row]]
    found: dict[Entity, Symptom] = {}
    for number, one in stretches(entity, spans.duration_s[row], before, after):
        found[spans.entities[number]] = Symptom(
            change=max(one.ratio, 0.0) / NOISE, latency_s=one.after_s
        )
    count = len(spans.entities)
    ran = np.bincount(entity[after], minlength=count)
    failed = np.bincount(entity[after & spans.failed[row]], minlength=count)
    for number in np.flatnonzero((ran >= LEAST_SPANS) & (failed > 0)).tolist():
        rate = float(failed[number] / ran[number])
        # Standard errors above 0 of a share: its size over its own deviation.
        change = float(np.sqrt(failed[number]))
        symptom = Symptom(change=change, error_rate=rate)
        name = spans.entities[number]
        found[name] = worse(found.get(name, Symptom()), symptom)
    return found


def worse(one: Symptom, other: Symptom) -> Symptom:
    """The larger of each."""
    return Symptom(
        change=max(one.change, other.change),
        error_rate=max(one.error_rate, other.error_rate),
        latency_s=max(one.latency_s, other.latency_s),
    )
