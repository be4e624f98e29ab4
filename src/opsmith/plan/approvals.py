"""Approvals: short, single-use, bound to one plan; together they turn it into leave to act."""

from __future__ import annotations

from datetime import timedelta

from opsmith.nouns.clock import SLACK, Clock
from opsmith.nouns.plan import (
    OPEN,
    Allowed,
    Approval,
    ApprovedPlan,
    Denied,
    Dossier,
    Judgement,
    NeedsApproval,
    Plan,
)

# Long enough to read a plan, too short to be found lying about an hour later.
LIFETIME = timedelta(minutes=10)


def approve(
    dossier: Dossier, *, approver: str, clock: Clock, name: str, lifetime: timedelta = LIFETIME
) -> Approval | Denied:
    """One principal's yes, or why it cannot be had. name: of the approval, unguessable."""
    plan = dossier.plan
    if dossier.state not in OPEN:
        return Denied(rule="approvals", reason=f"The plan is {dossier.state}.")
    if isinstance(dossier.judgement, Denied):
        return dossier.judgement
    standing = [one for one in dossier.approvals if one.expires_at > clock.now]
    if any(one.approver == approver for one in standing):
        return Denied(rule="approvals", reason=f"{approver} has approved it already.")
    return Approval(
        id=name,
        plan=plan.id,
        digest=plan.digest,
        approver=approver,
        given_at=clock.now,
        expires_at=clock.now + lifetime,
        clock=str(clock),
    )


def leave(dossier: Dossier, judgement: Judgement, *, clock: Clock) -> ApprovedPlan | Denied:
    """Leave to act now, or why not.

    judgement: by the policy of this very moment, which may have changed since the plan was made.
    """
    if dossier.state not in OPEN:
        return Denied(rule="approvals", reason=f"The plan is {dossier.state}; make a new one.")
    if isinstance(judgement, Denied):
        return judgement
    if isinstance(judgement, Allowed):
        return _approved(dossier.plan, judgement.rule, (), clock)
    standing = [one for one in dossier.approvals if not _fault(one, dossier.plan, clock)]
    names = tuple(sorted({one.approver for one in standing}))
    if len(names) >= judgement.approvers:
        return _approved(dossier.plan, judgement.rule, names, clock)
    return Denied(rule=judgement.rule, reason=_lacking(dossier, judgement, len(names), clock))


def _approved(plan: Plan, rule: str, by: tuple[str, ...], clock: Clock) -> ApprovedPlan:
    return ApprovedPlan(plan=plan, rule=rule, by=by, at=clock.now)


def _lacking(dossier: Dossier, judgement: NeedsApproval, have: int, clock: Clock) -> str:
    faults = [fault for one in dossier.approvals if (fault := _fault(one, dossier.plan, clock))]
    why = f" ({'; '.join(faults)})" if faults else ""
    return f"It needs {judgement.approvers} different principals and has {have}{why}."


def _fault(approval: Approval, plan: Plan, clock: Clock) -> str:
    """Why an approval does not count, empty when it does."""
    if approval.digest != plan.digest or approval.plan != plan.id:
        return f"{approval.approver} approved another plan"
    if clock.now >= approval.expires_at:
        return f"the approval of {approval.approver} has expired"
    if clock.now < approval.given_at - SLACK:
        return f"the approval of {approval.approver} lies in the future: the clock went back"
    if clock.jumped_since(approval.clock):
        return f"the clock jumped since {approval.approver} approved"
    return ""
