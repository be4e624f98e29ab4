"""Cases: past incidents whose cause was confirmed, and how much a new one resembles them.

What an engineer on call does first: this looks like the night when the payments database was
slow.  The likeness is the cosine of the two sets of alerts, each alert weighed by how few past
incidents show it (inverse document frequency).
Source: Salton & Buckley (1988), Term-weighting approaches in automatic text retrieval.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from opsmith.nouns.entity import Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A past incident: the signatures of its alerts, and who was to blame."""

    alerts: frozenset[str]
    causes: tuple[Entity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How an incident resembles the cases that one entity caused.

    nearest: likeness of the nearest, 0 to 1; together: sum of the squared likenesses.
    """

    nearest: float
    together: float


def resemblance(alerts: Collection[str], cases: Sequence[Case]) -> Mapping[Entity, Likeness]:
    """For each entity that caused a past case, how much this set of alerts resembles those."""
    seen = Counter(alert for case in cases for alert in case.alerts)
    weight = {
        alert: math.log((len(cases) + 1) / (count + 0.5)) ** 2 for alert, count in seen.items()
    }
    own = sum(weight.get(alert, 0.0) for alert in alerts)
    found: dict[Entity, list[float]] = defaultdict(list)
    for case in cases:
        both = sum(weight[alert] for alert in case.alerts.intersection(alerts))
        size = own * sum(weight[alert] for alert in case.alerts)
        for cause in case.causes:
            found[cause].append(both / math.sqrt(size) if size > 0 else 0.0)
    return {
        cause: Likeness(nearest=max(alike), together=sum(value**2 for value in alike))
        for cause, alike in found.items()
    }
