"""Plans as JSON, for the terminal and for HTTP alike."""

from __future__ import annotations

from opsmith.nouns.plan import (
    Act,
    Allowed,
    Denied,
    Dossier,
    Judgement,
    NeedsApproval,
    Outcome,
    Step,
)


def outcome_shape(outcome: Outcome) -> dict[str, object]:
    """What came of a plan."""
    return {
        "plan": outcome.plan,
        "state": outcome.state,
        "says": outcome.says,
        "acts": [act_shape(one) for one in outcome.acts],
    }


def plan_shape(dossier: Dossier, acts: tuple[Act, ...] = ()) -> dict[str, object]:
    """A plan with what has become of it."""
    made = dossier.plan
    return {
        "id": made.id,
        "digest": made.digest,
        "state": dossier.state,
        "why": made.why,
        "made_at": made.made_at.isoformat(),
        "made_by": made.made_by,
        "tenant": made.tenant,
        "incident": made.incident,
        "risk": made.risk,
        "judgement": judgement_shape(dossier.judgement),
        "steps": [step_shape(step) for step in made.steps],
        "waves": list(made.waves),
        "checks": [
            {
                "kind": one.kind,
                "subject": one.subject,
                "within_s": one.within_s,
                "holds_s": one.holds_s,
            }
            for one in made.checks
        ],
        "approvals": [
            {"approver": one.approver, "expires_at": one.expires_at.isoformat()}
            for one in dossier.approvals
        ],
        "acts": [act_shape(one) for one in acts],
        "notes": list(dossier.notes),
    }


def step_shape(step: Step) -> dict[str, object]:
    """A step as it was rehearsed."""
    return {
        "action": step.order.action,
        "target": str(step.order.target),
        "members": [str(one) for one in step.members],
        "values": dict(step.order.values),
        "risk": step.risk,
        "resource": step.resource,
        "version": step.version,
        "preview": step.preview,
        "irreversible": step.irreversible,
    }


def act_shape(act: Act) -> dict[str, object]:
    """A step that was begun."""
    return {
        "step": act.number + 1,
        "action": act.order.action,
        "target": str(act.order.target),
        "state": act.state,
        "before": dict(act.before),
        "says": act.says,
    }


def judgement_shape(judgement: Judgement) -> dict[str, object]:
    """What policy says."""
    match judgement:
        case Allowed(rule=rule):
            return {"says": "allowed", "rule": rule}
        case NeedsApproval(rule=rule, approvers=approvers):
            return {"says": "needs_approval", "rule": rule, "approvers": approvers}
        case Denied(rule=rule, reason=reason):
            return {"says": "denied", "rule": rule, "reason": reason}
