"""judge: what policy says of a plan; the strictest answer over its steps holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from opsmith.nouns.plan import (
    Allowed,
    Autonomy,
    Denied,
    Judgement,
    NeedsApproval,
    Plan,
    Step,
)
from opsmith.plan.policy import Policy, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Who wants the plan carried out, when, and how far each class of actions may go alone.

    at: UTC-aware. autonomy: by action; one that is not named asks.
    """

    principal: str
    role: str
    at: datetime
    autonomy: Mapping[str, Autonomy]


def judge(plan: Plan, policy: Policy, circumstances: Circumstances) -> Judgement:
    """The strictest judgement over the steps: denied, then the most approvers, then allowed."""
    each = [policy.of(_subject(step, plan, circumstances)) for step in plan.steps]
    return max(each, key=_strictness)


def _subject(step: Step, plan: Plan, circumstances: Circumstances) -> Subject:
    return Subject(
        action=step.order.action,
        target=str(step.order.target),
        risk=step.risk,
        irreversible=bool(step.irreversible),
        scope=len(plan.targets),
        principal=circumstances.principal,
        role=circumstances.role,
        autonomy=circumstances.autonomy.get(step.order.action, Autonomy.ASK),
        at=circumstances.at,
    )


def _strictness(judgement: Judgement) -> tuple[int, int]:
    match judgement:
        case Allowed():
            return 0, 0
        case NeedsApproval(approvers=approvers):
            return 1, approvers
        case Denied():
            return 2, 0
