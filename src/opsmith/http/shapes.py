"""Shapes: what the HTTP face takes and gives, as JSON."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from opsmith.nouns.anomaly import Label
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode
from opsmith.nouns.incident import Blame, Incident, Verdict
from opsmith.nouns.maintenance import Matcher, Window
from opsmith.nouns.session import Principal, Role
from opsmith.nouns.sign import Sign
from opsmith.nouns.signals import Change


class Taken(BaseModel):
    """How many alerts changed something; repeats of what is known do not."""

    changed: int


class CallerShape(BaseModel):
    """Who asks. everywhere: sees every tenant's things; named: is one person, not a shared key.

    decides: whether it may approve, reject, run and undo as far as its role goes; policy may
    still say no. queue: whether there is a queue of tasks.
    """

    name: str
    role: Role
    tenant: str
    everywhere: bool
    named: bool
    decides: bool
    queue: bool

    @classmethod
    def of(cls, by: Principal, *, queue: bool) -> CallerShape:
        """Show a principal."""
        return cls(
            name=by.name,
            role=by.role,
            tenant=by.tenant,
            everywhere=by.everywhere,
            named=by.named,
            decides=by.role is not Role.VIEWER,
            queue=queue,
        )


class AlertShape(BaseModel):
    """The newest state of one alert."""

    fingerprint: str
    name: str
    entity: str
    severity: str
    state: str
    round: int
    flapping: bool
    starts_at: datetime | None
    ends_at: datetime | None
    labels: dict[str, str]

    @classmethod
    def of(cls, episode: Episode) -> AlertShape:
        """Show an episode."""
        alert = episode.alert
        return cls(
            fingerprint=alert.fingerprint,
            name=alert.name,
            entity=str(alert.entity),
            severity=alert.severity,
            state=episode.state,
            round=episode.round,
            flapping=episode.flapping,
            starts_at=alert.starts_at,
            ends_at=alert.ends_at,
            labels=dict(alert.labels),
        )


class ChangeShape(BaseModel):
    """A change as it was taken."""

    at: datetime
    entity: str
    kind: str
    summary: str
    version: str | None

    @classmethod
    def of(cls, change: Change) -> ChangeShape:
        """Show a change."""
        return cls(
            at=change.at,
            entity=str(change.entity),
            kind=change.kind,
            summary=change.summary,
            version=change.version,
        )


class BlameShape(BaseModel):
    """A component and a kind of fault."""

    model_config = ConfigDict(extra="forbid")

    entity: str = Field(examples=["service:checkout"])
    kind: CauseKind

    @classmethod
    def of(cls, blame: Blame) -> BlameShape:
        """Show a blame."""
        return cls(entity=str(blame.entity), kind=blame.kind)

    def blame(self) -> Blame:
        """The noun. Raises `BadInput` when the entity is not TYPE:NAME."""
        return Blame(entity=Entity.parse(self.entity), kind=self.kind)


class VerdictShape(BaseModel):
    """What the last look found; path has the cause first."""

    status: str
    cause: BlameShape | None
    confidence: float
    path: list[str]
    sentence: str
    found_at: datetime
    onset: datetime | None

    @classmethod
    def of(cls, verdict: Verdict) -> VerdictShape:
        """Show a verdict."""
        return cls(
            status=verdict.status,
            cause=BlameShape.of(verdict.blame) if verdict.blame else None,
            confidence=verdict.confidence,
            path=list(map(str, verdict.path)),
            sentence=verdict.sentence,
            found_at=verdict.found_at,
            onset=verdict.onset,
        )


class MemberShape(BaseModel):
    """One alert of an incident."""

    fingerprint: str
    name: str
    entity: str
    severity: str
    firing: bool
    joined_at: datetime


class SignShape(BaseModel):
    """One anomaly or early warning; ended_at is None while it stands."""

    id: str
    kind: str
    at: datetime
    series: str
    entity: str
    aspect: str
    claim: str
    score: float
    ended_at: datetime | None
    due_at: datetime | None

    @classmethod
    def of(cls, sign: Sign) -> SignShape:
        """Show a sign."""
        return cls(
            id=sign.id,
            kind=sign.kind,
            at=sign.at,
            series=sign.series,
            entity=str(sign.entity),
            aspect=sign.aspect,
            claim=sign.claim,
            score=sign.score,
            ended_at=sign.ended_at,
            due_at=sign.due_at,
        )


class LabelShape(BaseModel):
    """What a person says of an anomaly."""

    model_config = ConfigDict(extra="forbid")

    said: Label


class IncidentShape(BaseModel):
    """One incident; report is where its page is, None while there is no verdict.

    more: how many alerts fire in it beside those in `alerts`.
    after: the incident soon after which its fault began.
    """

    id: str
    state: str
    title: str
    opened_at: datetime
    updated_at: datetime
    firing: int
    alerts: list[MemberShape]
    more: int
    verdict: VerdictShape | None
    similar: list[str]
    confirmed: BlameShape | None
    rejected: list[BlameShape]
    merged_into: str | None
    after: str | None
    report: str | None
    signs: list[SignShape]

    @classmethod
    def of(cls, incident: Incident) -> IncidentShape:
        """Show an incident."""
        return cls(
            id=incident.id,
            state=incident.state,
            title=incident.title,
            opened_at=incident.opened_at,
            updated_at=incident.updated_at,
            firing=incident.firing,
            alerts=[
                MemberShape(
                    fingerprint=m.fingerprint,
                    name=m.name,
                    entity=str(m.entity),
                    severity=m.severity,
                    firing=m.firing,
                    joined_at=m.joined_at,
                )
                for m in incident.members
            ],
            more=incident.more,
            verdict=VerdictShape.of(incident.verdict) if incident.verdict else None,
            similar=list(incident.similar),
            confirmed=BlameShape.of(incident.confirmed) if incident.confirmed else None,
            rejected=list(map(BlameShape.of, incident.rejected)),
            merged_into=incident.merged_into,
            after=incident.after,
            report=f"/v1/incidents/{incident.id}/report.html" if incident.verdict else None,
            signs=list(map(SignShape.of, incident.signs)),
        )


class MergeShape(BaseModel):
    """Which incident gives its alerts."""

    model_config = ConfigDict(extra="forbid")

    other: str


class SplitShape(BaseModel):
    """Which alerts leave, by fingerprint."""

    model_config = ConfigDict(extra="forbid")

    alerts: list[str] = Field(min_length=1)


class WindowShape(BaseModel):
    """One maintenance window; selectors as they are typed."""

    id: str
    selectors: list[str]
    starts_at: datetime
    ends_at: datetime
    by: str
    why: str

    @classmethod
    def of(cls, window: Window) -> WindowShape:
        """Show a window."""
        return cls(
            id=window.id,
            selectors=list(map(str, window.matchers)),
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            by=window.by,
            why=window.why,
        )


class WantedWindow(BaseModel):
    """A window to set: from now when starts_at is left out."""

    model_config = ConfigDict(extra="forbid")

    selectors: list[str] = Field(min_length=1, max_length=20, examples=[["service:cart"]])
    minutes: float = Field(gt=0, le=31 * 24 * 60)
    starts_at: AwareDatetime | None = None
    why: str = Field(default="", max_length=500)

    def matchers(self) -> tuple[Matcher, ...]:
        """The nouns. Raises `BadInput` when one selects nothing."""
        return tuple(map(Matcher.parse, self.selectors))
