"""How often an alert fires when its entity is not to blame: what makes an alert surprising.

An alert is worth what it tells: -log of the chance to see it in an incident that its entity did
not cause (Shannon's self-information).  The chance is learned from past incidents and falls back,
by shrinkage, from "this metric of this entity" over "this metric of any entity of its type" to
"any metric of this class"; classes name no entity and no metric, so their rates can be shipped.
Source of the shrinkage: Good (1965), The Estimation of Probabilities, ch. 3 (beta-binomial).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from opsmith.errors import BadInput
from opsmith.localise.cases import Case
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording
from opsmith.nouns.signals import Alert

# The weight of a coarser rate against the finer counts, in incidents.
PSEUDO_INCIDENTS = 2.0
# Chance given to an alert class that no past incident showed.
UNSEEN_RATE = 0.05
VERSION = 1
# Where `class_of` and `metric_of` put the type of the entity.
TYPE_IN_KEY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRates:
    """Chances, 0 to 1, that an entity raises an alert in an incident that it did not cause.

    incidents: how many past incidents were learned from (0: only `classes` speak).
    alerts: by `signature_of` an alert; metrics: by `metric_of`; classes: by `class_of`.
    cases: the past incidents whose causes are known.
    """

    incidents: int = 0
    alerts: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    classes: Mapping[str, float] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()

    def rate(self, alert: Alert) -> float:
        """The chance of this alert, in (0, 1]."""
        coarse = self.classes.get(class_of(alert), UNSEEN_RATE)
        metric = self._shrunk(self.metrics.get(metric_of(alert), 0.0), coarse)
        return self._shrunk(self.alerts.get(signature_of(alert), 0.0), metric)

    def _shrunk(self, share: float, prior: float) -> float:
        total = self.incidents + PSEUDO_INCIDENTS
        return (share * self.incidents + prior * PSEUDO_INCIDENTS) / total


def signature_of(alert: Alert) -> str:
    """The alert's identity over incidents: who, what, which way."""
    return f"{alert.entity}|{alert.caller or ''}|{metric_of(alert)}"


def metric_of(alert: Alert) -> str:
    """What was watched, on which type of entity, which way: names no entity."""
    return f"{class_of(alert)}|{alert.metric}"


def class_of(alert: Alert) -> str:
    """The name-free class of an alert: source, aspect, direction, type of entity, own call."""
    own = "own" if alert.caller == alert.entity else "call" if alert.caller else ""
    return f"{alert.source}|{alert.aspect}|{alert.direction}|{alert.entity.kind}|{own}"


def population_of(recording: Recording) -> set[Entity]:
    """Everyone who could have raised an alert."""
    raised = {alert.entity for alert in recording.alerts}
    return raised | set(recording.candidates) | set(recording.topology.entities)


def learn(
    history: Iterable[tuple[Recording, Collection[Entity]]],
) -> BaseRates:
    """Rates from past incidents, each with its causes (empty when nobody labelled it).

    What an entity raised while it was to blame is left out of its background.
    """
    alerts: Counter[str] = Counter()
    metrics: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    entities: Counter[EntityKind] = Counter()
    cases = []
    incidents = 0
    for recording, causes in history:
        incidents += 1
        if causes:
            rung = frozenset(signature_of(alert) for alert in recording.alerts)
            cases.append(Case(alerts=rung, causes=tuple(sorted(causes))))
        background = [alert for alert in recording.alerts if alert.entity not in causes]
        entities.update(entity.kind for entity in population_of(recording))
        alerts.update({signature_of(alert) for alert in background})
        metrics.update(metric for metric, _ in {(metric_of(a), a.entity) for a in background})
        classes.update(kind for kind, _ in {(class_of(a), a.entity) for a in background})
    return BaseRates(
        incidents=incidents,
        alerts={key: count / max(incidents, 1) for key, count in alerts.items()},
        metrics=_per_entity(metrics, entities),
        classes=_per_entity(classes, entities),
        cases=tuple(cases),
    )


def to_json(rates: BaseRates) -> str:
    """The rates as JSON text, keys sorted."""
    parts = {"alerts": rates.alerts, "metrics": rates.metrics, "classes": rates.classes}
    table = {name: {k: round(v, 6) for k, v in part.items()} for name, part in parts.items()}
    cases = [
        {"alerts": sorted(case.alerts), "causes": [str(cause) for cause in case.causes]}
        for case in rates.cases
    ]
    whole = {"version": VERSION, "incidents": rates.incidents, "cases": cases, **table}
    return json.dumps(whole, sort_keys=True)


def from_json(text: str) -> BaseRates:
    """Read what `to_json` wrote. Raises `BadInput` when the text is anything else."""
    try:
        value = json.loads(text)
        if value["version"] != VERSION:
            raise BadInput(f"Base rates of version {value['version']!r}; this reads {VERSION}.")
        return BaseRates(
            incidents=int(value["incidents"]),
            alerts=_frozen(value["alerts"]),
            metrics=_frozen(value["metrics"]),
            classes=_frozen(value["classes"]),
            cases=tuple(
                Case(
                    alerts=frozenset(map(str, case["alerts"])),
                    causes=tuple(Entity.parse(str(cause)) for cause in case["causes"]),
                )
                for case in value["cases"]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"These are no base rates that `opsmith ranker fit` wrote: {error!r}."
        ) from error


def _per_entity(counts: Counter[str], entities: Counter[EntityKind]) -> dict[str, float]:
    """Share of (incident, entity of the type) pairs that raised it; the key holds the type."""
    return {
        key: min(1.0, count / max(entities[EntityKind(key.split("|")[TYPE_IN_KEY])], 1))
        for key, count in counts.items()
    }


def _frozen(rates: Mapping[str, float]) -> Mapping[str, float]:
    return MappingProxyType(
        {str(key): min(1.0, max(0.0, float(rate))) for key, rate in rates.items()}
    )
