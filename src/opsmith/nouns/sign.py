"""Sign: what opsmith itself saw in a metric, beside or before the alerts of others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from opsmith.nouns.entity import Entity
from opsmith.nouns.forecast import Side
from opsmith.nouns.series import Aspect


class SignKind(StrEnum):
    """What sort of sign it is: something odd now, or a threshold that will be crossed."""

    ANOMALY = "anomaly"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One anomaly, or one early warning, from its beginning to its end.

    id: names it in `anomaly label`; series: the key of what was watched; claim: one sentence.
    at: when it began; ended_at: None while it stands. due_at: when the threshold will be
    crossed (a warning's median), None for an anomaly. score: an anomaly's, or a warning's
    probability, 0 to 1. All times UTC-aware.
    """

    id: str
    kind: SignKind
    at: datetime
    series: str
    entity: Entity
    aspect: Aspect
    claim: str
    score: float
    ended_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None


# What the fingerprints of opsmith's own alerts begin with; Alertmanager's are hexadecimal.
OWN = "opsmith-"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """What a server alerts on. promql: the whole expression, its comparison included."""

    name: str
    promql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A value that something watched should not cross.

    name: for people; promql: what is watched; side: from which side it is crossed.
    origin: `rule`, `file` or `cap`.
    """

    name: str
    promql: str
    side: Side
    value: float
    origin: str


# Those of anomalies among them. They last as long as a series needs to be usual again, which may
# be long after users are well.
ANOMALOUS = f"{OWN}{SignKind.ANOMALY}-"
