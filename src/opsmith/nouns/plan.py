"""Plan: typed steps that change the world, what policy says of them, and who let them through."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from opsmith.errors import BadInput
from opsmith.nouns.entity import Entity
from opsmith.nouns.task import Risk, highest

Value: TypeAlias = str | int | float | bool | tuple[str, ...]
Values: TypeAlias = Mapping[str, Value]

# Enough to tell plans apart in a terminal; the whole digest is what approvals are bound to.
SHORT_ID = 10


class Autonomy(StrEnum):
    """How far a class of actions may go by itself, least first."""

    SHADOW = "shadow"
    ASK = "ask"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one plan for one class of actions; the record that autonomy is earned by.

    shadow: it was only thought of; helped then says whether the incident's confirmed cause is
    the one that it would have acted on. at: UTC-aware.
    """

    action: str
    plan: str
    helped: bool
    at: datetime
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """How far an operator lets a class of actions go, from `at` on (UTC-aware)."""

    action: str
    level: Autonomy
    by: str
    at: datetime


class CheckKind(StrEnum):
    """How it is told, after all steps, whether the plan helped."""

    QUIET = "expression_quiet"
    RESOLVED = "alert_resolved"
    WITHIN_BAND = "within_forecast"
    HTTP_OK = "http_ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that must come true after the steps, and stay so.

    subject: the expression, the alert's fingerprint, or the address.
    within_s: how long it may take to come true; holds_s: how long it must then stay.
    since: when the trouble began, for a comparison with before.
    """

    kind: CheckKind
    subject: str
    within_s: float = 120.0
    holds_s: float = 30.0
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One action on one target with typed values: what a step is before anybody looked."""

    action: str
    target: Entity
    values: Values = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An order as it was rehearsed.

    version: the target's state when it was looked at; another one later stops the step.
    preview: what would happen, for a person. resource: two steps with one key never overlap.
    irreversible: why it cannot be undone, empty when it can.
    members: whom it touches in fact when the target is a group; more: the keys of each.
    """

    order: Order
    risk: Risk
    resource: str
    version: str
    preview: str
    irreversible: str = ""
    members: tuple[Entity, ...] = ()
    more: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """Every resource that it holds while it is carried out."""
        return frozenset({self.resource, *self.more})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in their order, why, and for whom.

    incident: id of the incident it answers, empty for none. made_at: UTC-aware.
    waves: how many steps go before the checks are watched, and how many after; empty for all.
    Raises `BadInput` when it has no step, or waves that do not cover them.
    """

    steps: tuple[Step, ...]
    why: str
    made_at: datetime
    made_by: str
    tenant: str = "default"
    incident: str = ""
    checks: tuple[Check, ...] = ()
    waves: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.steps:
            raise BadInput("A plan has at least one step.")
        if self.waves and (sum(self.waves) != len(self.steps) or min(self.waves) < 1):
            raise BadInput("The waves of a plan cover each of its steps once.")
        if self.made_at.tzinfo is None:
            raise BadInput("A plan says when it was made, with its time zone.")

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over everything that approvals are bound to: the whole plan."""
        return hashlib.sha256(_canonical(self).encode()).hexdigest()

    @property
    def id(self) -> str:
        """A short name, taken from the digest."""
        return f"plan-{self.digest[:SHORT_ID]}"

    @property
    def risk(self) -> Risk:
        """The highest risk of its steps."""
        return highest(step.risk for step in self.steps)

    @property
    def targets(self) -> tuple[Entity, ...]:
        """Whom it touches, each once; of a group its members."""
        touched = [one for step in self.steps for one in step.members or (step.order.target,)]
        return tuple(dict.fromkeys(touched))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Policy lets it through as it is."""

    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsApproval:
    """Policy wants to hear from so many different principals first."""

    rule: str
    approvers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """It will not be done, and why. rule: the policy's, or the doubt that closed the door."""

    rule: str
    reason: str


Judgement: TypeAlias = Allowed | NeedsApproval | Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One principal's yes to one plan, for a short time and one use.

    digest: of the plan, and so of its targets' versions. clock: boot id and offset of the clock
    it was given under, so that a clock that jumped is seen.
    """

    id: str
    plan: str
    digest: str
    approver: str
    given_at: datetime
    expires_at: datetime
    clock: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedPlan:
    """A plan that policy and people let through; only `plan.approvals.leave` makes one.

    by: who approved, empty when policy alone allowed it. at: UTC-aware.
    """

    plan: Plan
    rule: str
    by: tuple[str, ...]
    at: datetime


class PlanState(StrEnum):
    """How far a plan has come."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    RUNNING = "running"
    DONE = "done"
    UNDONE = "undone"
    FAILED = "failed"


OPEN = frozenset({PlanState.PROPOSED, PlanState.APPROVED})


class ActState(StrEnum):
    """How far one step has come; `started` is on the ledger before anything happens.

    not_begun: its way refused it before it did anything, so it is not undone either.
    """

    STARTED = "started"
    NOT_BEGUN = "not_begun"
    APPLIED = "applied"
    VERIFIED = "verified"
    FAILED = "failed"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One step of a plan being carried out. number counts from 0.

    before: all that an undo needs, as the rehearsal right before found it. says: for a person.
    """

    plan: str
    number: int
    order: Order
    state: ActState
    before: Values = field(default_factory=dict)
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a plan. acts: the last state of each step that was begun, in order."""

    plan: str
    state: PlanState
    says: str
    acts: tuple[Act, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One record that a plan left on the ledger.

    seq: its place in the chain; digest: its seal (hex). at: UTC-aware. step: from 1, 0 for the
    plan as a whole. state: of the plan, or of the step. says: what was noted with it.
    """

    seq: int
    digest: str
    at: datetime
    by: str
    step: int
    state: PlanState | ActState
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """A plan with what has become of it; the latest one on the ledger is what holds.

    approvals: given and not yet spent, or spent when it ran. notes: what happened, in order.
    clock: the reading of the clock that it was proposed under.
    """

    plan: Plan
    state: PlanState
    judgement: Judgement
    approvals: tuple[Approval, ...] = ()
    notes: tuple[str, ...] = ()
    clock: str = ""


def _canonical(plan: Plan) -> str:
    """The same text for the same plan, whatever the order of its values."""
    steps = [
        [
            step.order.action,
            str(step.order.target),
            sorted((name, _plain(value)) for name, value in step.order.values.items()),
            str(step.risk),
            step.resource,
            step.version,
            step.irreversible,
            [str(one) for one in step.members],
            list(step.more),
        ]
        for step in plan.steps
    ]
    checks = [
        [str(one.kind), one.subject, float(one.within_s), float(one.holds_s), _utc(one.since)]
        for one in plan.checks
    ]
    made = [
        plan.why,
        _utc(plan.made_at),
        plan.made_by,
        plan.tenant,
        plan.incident,
    ]
    return json.dumps(
        [steps, checks, made, list(plan.waves)], ensure_ascii=True, separators=(",", ":")
    )


def _utc(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat() if at else ""


def _plain(value: Value) -> list[object]:
    """With its type, since `1`, `1.0`, `true` and `"1"` are different values."""
    return [type(value).__name__, list(value) if isinstance(value, tuple) else value]
