"""Incident: alerts that belong together, what is thought of them, and what people said of that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.sign import Sign


class IncidentState(StrEnum):
    """How far an incident has come."""

    OPEN = "open"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CONFIRMED = "confirmed"
    MERGED = "merged"


ENDED = frozenset({IncidentState.RESOLVED, IncidentState.CONFIRMED, IncidentState.MERGED})


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Blame:
    """One component with one kind of fault."""

    entity: Entity
    kind: CauseKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the last investigation found, in short; the whole of it lies beside the evidence.

    confidence: calibrated probability of `blame`, 0 to 1. path: cause first.
    found_at, onset: UTC-aware. sentence: for a person.
    """

    status: Status
    blame: Blame | None
    confidence: float
    path: tuple[Entity, ...]
    sentence: str
    found_at: datetime
    onset: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One alert of an incident. joined_at: UTC-aware."""

    fingerprint: str
    name: str
    entity: Entity
    severity: str
    firing: bool
    joined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Alerts that belong together by time and topology.

    opened_at, updated_at: UTC-aware. similar: ids of confirmed incidents like this one.
    confirmed: the cause as a person confirmed it. rejected: causes that a person ruled out.
    merged_into: id of the incident that took this one's alerts.
    signs: anomalies and early warnings near it in time and topology, newest last.
    more: how many alerts fire in it beside those that it names.
    after: id of the incident soon after which this one's fault began, and beside which it stands.
    """

    id: str
    state: IncidentState
    title: str
    opened_at: datetime
    updated_at: datetime
    members: tuple[Member, ...]
    verdict: Verdict | None = None
    similar: tuple[str, ...] = ()
    confirmed: Blame | None = None
    rejected: tuple[Blame, ...] = ()
    merged_into: str | None = None
    signs: tuple[Sign, ...] = ()
    more: int = 0
    after: str | None = None

    @property
    def entities(self) -> frozenset[Entity]:
        """The entities that its alerts are about."""
        return frozenset(member.entity for member in self.members)

    @property
    def firing(self) -> int:
        """How many of its alerts fire now."""
        return sum(member.firing for member in self.members) + self.more

    @property
    def size(self) -> int:
        """How many alerts are in it, named or not."""
        return len(self.members) + self.more

    def with_more(self, more: int) -> Incident:
        """The incident when so many alerts fire in it beside the named ones."""
        changed = replace(self, more=more)
        if self.state in ENDED:
            return changed
        state = IncidentState.OPEN if changed.firing else IncidentState.MITIGATED
        return replace(changed, state=state)
