"""Diagnosis: who is to blame, how sure that is, and the path by which it reached the alert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from opsmith.nouns.cause import CauseKind
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Missing


class Status(StrEnum):
    """What the evidence allows to say."""

    DIAGNOSED = "diagnosed"
    INCONCLUSIVE = "inconclusive"
    HEALTHY = "healthy"


class Channel(StrEnum):
    """By which kind of evidence something was found."""

    RESOURCE = "resource"
    SELF_SHARE = "self_share"
    EDGE_GAP = "edge_gap"
    EVENT_PAIR = "event_pair"
    ERRORS = "errors"
    ALERT = "alert"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One checked fact behind a cause.

    claim: one sentence with its figures and units, for a person.
    strength: above 0, in units of the channel's own fault-free noise.
    before, after: the compared values in `unit`; None where there is no such pair.
    series: keys of the series behind it; at: when it began, UTC-aware, None if untimed.
    """

    channel: Channel
    claim: str
    strength: float
    entity: Entity
    unit: str = ""
    before: float | None = None
    after: float | None = None
    at: datetime | None = None
    series: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A candidate. score: higher is likelier, comparable inside one diagnosis only.

    confidence: calibrated probability that this is the root cause, 0 to 1.
    """

    entity: Entity
    kind: CauseKind
    score: float
    confidence: float
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledOut:
    """A candidate that looked ill, and why it is not the cause."""

    entity: Entity
    why: str


class PathWeights(StrEnum):
    """By which rule the path is chosen among the anomalous ones.

    bottleneck: the largest of the smallest self-changes on the way;
    additive: the least sum of log(1 + error rate) + latency in ms / 100 (the brief's rule).
    """

    BOTTLENECK = "bottleneck"
    ADDITIVE = "additive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """How the cause reached the alert, cause first.

    bottleneck: the smallest self-change on the way, in units of its own noise.
    cycles: groups of entities on the way that call each other in a circle.
    over_limit: the brief's cost or depth limit is passed; the path is still given.
    """

    entities: tuple[Entity, ...]
    bottleneck: float
    cost: float | None = None
    over_limit: bool = False
    cycles: tuple[tuple[Entity, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The answer to one incident. causes: ranked, likeliest first, also when inconclusive.

    reasons: why the answer is inconclusive or healthy; empty when diagnosed.
    onset: when the cause began, UTC-aware, None when nothing has a time.
    """

    incident: str
    status: Status
    causes: tuple[Cause, ...]
    path: Path | None
    reasons: tuple[str, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    missing: tuple[Missing, ...] = ()
    alerting: tuple[Entity, ...] = ()
    onset: datetime | None = None
