"""Open calls: files that are open because calls take longer.

A connection is an open file on both of its ends for as long as the call on it lasts. By Little's
law an entity whose calls take R times as long has R times as many of them open at the same rate,
so that 1 / R of a rise of its open files stays a sign of its own; the rest is what slow calls do.
A leak of files looks different: calls are as fast as ever while they fill up.
Source: Little (1961), A Proof for the Queuing Formula L = λW.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from opsmith.localise.findings import Findings
from opsmith.localise.gaps import stretches
from opsmith.localise.lost_calls import called_by
from opsmith.localise.scene import Scene
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect

FILES = str(Aspect.FILES)


def without_open_calls(scene: Scene, findings: Sequence[Findings]) -> tuple[Findings, ...]:
    """The findings, with less of the open files of those whose calls take longer."""
    longer = longer_calls(scene)
    return tuple(
        _lessened(one, scene, longer) if one.channel is Channel.RESOURCE else one
        for one in findings
    )


def longer_calls(scene: Scene) -> dict[Entity, float]:
    """By entity: the largest log ratio of the times of the calls that it makes or answers.

    Entities none of whose calls take longer than before are left out.
    """
    traces, periods = scene.traces, scene.periods
    if traces is None or periods is None:
        return {}
    names, called = called_by(traces)
    row = np.flatnonzero(called >= 0)
    spans = traces.spans
    before, after = (
        when(periods.alarm_s)[traces.trace[row]] for when in (traces.before, traces.after)
    )
    edge = spans.entity[row].astype(np.int64) * len(names) + called[row]
    found: dict[Entity, float] = {}
    for number, one in stretches(edge, spans.duration_s[row], before, after):
        for end in divmod(number, len(names)):
            found[names[end]] = max(found.get(names[end], 0.0), one.ratio)
    return {entity: ratio for entity, ratio in found.items() if ratio > 0.0}


def _lessened(one: Findings, scene: Scene, longer: Mapping[Entity, float]) -> Findings:
    strength, evidence = dict(one.strength), dict(one.evidence)
    files = {series.key for series in scene.recording.series if series.aspect is Aspect.FILES}
    for entity, found in one.features.get(FILES, {}).items():
        kept = math.exp(-longer.get(entity, 0.0))
        others = max(
            (of.get(entity, 0.0) for name, of in one.features.items() if name != FILES),
            default=0.0,
        )
        strength[entity] = min(strength.get(entity, 0.0), max(others, found * kept))
        facts = (_times(fact, kept, files) for fact in evidence.get(entity, ()))
        evidence[entity] = tuple(sorted(facts, key=lambda fact: -fact.strength))
    return replace(one, strength=strength, evidence=evidence)


def _times(fact: Evidence, share: float, files: set[str]) -> Evidence:
    if files.isdisjoint(fact.series):
        return fact
    return replace(fact, strength=fact.strength * share)
