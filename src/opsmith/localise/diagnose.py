"""Diagnose: from a recording to ranked causes, the path and what was ruled out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from opsmith.localise.alerts import alert_findings
from opsmith.localise.base_rates import BaseRates
from opsmith.localise.changes import changes
from opsmith.localise.confidence import LEAST_CONFIDENCE, doubts, probabilities
from opsmith.localise.failures import failures
from opsmith.localise.features import feature_table
from opsmith.localise.findings import Findings
from opsmith.localise.gaps import gaps
from opsmith.localise.held import with_holders
from opsmith.localise.kinds import kind_of
from opsmith.localise.novelty import new_pairs
from opsmith.localise.open_calls import without_open_calls
from opsmith.localise.path import find_path
from opsmith.localise.ranker import UNFITTED, Ranker
from opsmith.localise.resource import resources
from opsmith.localise.ruled_out import rule_out
from opsmith.localise.scene import Scene, read_scene
from opsmith.localise.self_share import self_share
from opsmith.localise.symptoms import symptoms_of
from opsmith.nouns.diagnosis import Cause, Diagnosis, Evidence, PathWeights, Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording

CHANNELS = (resources, self_share, gaps, new_pairs, failures, changes)
NO_RATES = BaseRates()
# So many pieces of evidence are told of each cause, so many causes are given in full.
MOST_EVIDENCE = 8
# Nothing louder than this, in units of noise, means that nothing is ill.
QUIET = 1.0
# Fewer alerts than this, with nothing measured, are no storm whose pattern could be read.
FEWEST_ALERTS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranked:
    """Candidates, likeliest first, with score and chance."""

    entities: tuple[Entity, ...]
    scores: tuple[float, ...]
    chances: tuple[float, ...]


def localise(
    recording: Recording,
    *,
    ranker: Ranker = UNFITTED,
    base_rates: BaseRates = NO_RATES,
    path_weights: PathWeights = PathWeights.BOTTLENECK,
    scene: Scene | None = None,
) -> Diagnosis:
    """Who is to blame for a recorded incident, by which path, and how sure that is.

    The ranking is given also when the status is `inconclusive`; `reasons` then say why.
    scene: of the same recording, where the caller has read it already.
    """
    scene = scene or read_scene(recording)
    findings = measure(scene, base_rates)
    entities = candidates_of(scene, findings)
    ranked = ranking(recording, entities, findings, ranker)
    symptoms = symptoms_of(scene)
    causes = tuple(causes_of(scene, findings, ranked))
    status, reasons = verdict(recording, findings, ranked)
    path = None
    if causes and status is not Status.HEALTHY:
        cause = causes[0].entity
        path = find_path(scene.graph, symptoms, cause, recording.alerting, path_weights)
    return Diagnosis(
        incident=recording.name,
        status=status,
        causes=causes,
        path=path,
        reasons=reasons,
        ruled_out=tuple(rule_out(scene.graph, symptoms, causes, path)),
        missing=recording.missing,
        alerting=recording.alerting,
        onset=onset_of(causes[0].evidence) if causes else None,
    )


def measure(scene: Scene, base_rates: BaseRates = NO_RATES) -> tuple[Findings, ...]:
    """What every channel finds."""
    measured = with_holders([channel(scene) for channel in CHANNELS])
    measured = without_open_calls(scene, measured)
    return (*measured, alert_findings(scene.recording, base_rates))


def candidates_of(scene: Scene, findings: Iterable[Findings]) -> tuple[Entity, ...]:
    """Who may be blamed: as the recording says, else all that the evidence names, sorted."""
    if scene.recording.candidates:
        return tuple(dict.fromkeys(scene.recording.candidates))
    found = set(scene.graph.entities)
    found.update(one.entity for one in scene.recording.series if one.entity is not None)
    found.update(one.entity for one in scene.recording.alerts)
    found.update(entity for one in findings for entity in one.strength)
    return tuple(sorted(found))


def ranking(
    recording: Recording,
    entities: Sequence[Entity],
    findings: Sequence[Findings],
    ranker: Ranker,
) -> Ranked:
    """Order the candidates by the ranker's score; ties by name, so that input order is nothing."""
    if not entities:
        return Ranked(entities=(), scores=(), chances=())
    table = feature_table(recording, entities, findings, marked=bool(ranker.marks))
    scores = np.asarray(ranker.scores(table), dtype=np.float64)
    chances = probabilities(scores, temperature=ranker.temperature)
    if tells_too_little(recording):
        chances = chances * LEAST_CONFIDENCE
    order = sorted(range(len(entities)), key=lambda place: (-scores[place], entities[place]))
    return Ranked(
        entities=tuple(entities[place] for place in order),
        scores=tuple(float(scores[place]) for place in order),
        chances=tuple(float(chances[place]) for place in order),
    )


def causes_of(scene: Scene, findings: Sequence[Findings], ranked: Ranked) -> Iterable[Cause]:
    """Every candidate with its kind and its evidence, strongest first."""
    rows = zip(ranked.entities, ranked.scores, ranked.chances, strict=True)
    for entity, score, chance in rows:
        told = [fact for one in findings for fact in one.evidence.get(entity, ())]
        told.sort(key=lambda fact: -fact.strength)
        yield Cause(
            entity=entity,
            kind=kind_of(scene, findings, entity),
            score=score,
            confidence=chance,
            evidence=tuple(told[:MOST_EVIDENCE]),
        )


def verdict(
    recording: Recording, findings: Sequence[Findings], ranked: Ranked
) -> tuple[Status, tuple[str, ...]]:
    """Whether the answer may be acted on, and if not, why."""
    strengths = [
        max((one.strength.get(entity, 0.0) for one in findings), default=0.0)
        for entity in ranked.entities
    ]
    measured = bool(recording.series) or recording.spans is not None
    if measured and not recording.alerts and max(strengths, default=0.0) < QUIET:
        return Status.HEALTHY, ("nothing left its usual range, and no alert was recorded",)
    if tells_too_little(recording):
        return Status.INCONCLUSIVE, ("a few alerts alone say who suffers, not why",)
    reasons = doubts(np.array(ranked.chances), strengths)
    return (Status.INCONCLUSIVE, reasons) if reasons else (Status.DIAGNOSED, ())


def tells_too_little(recording: Recording) -> bool:
    """Whether a few alerts are all there is: then no ranking deserves to be acted on."""
    measured = bool(recording.series) or recording.spans is not None
    return not measured and len(recording.alerts) < FEWEST_ALERTS


def onset_of(evidence: Sequence[Evidence]) -> datetime | None:
    """When the cause began: the earliest time among its strong evidence."""
    strong = [one for one in evidence if one.strength >= QUIET and one.at is not None]
    return min((one.at for one in strong if one.at is not None), default=None)
