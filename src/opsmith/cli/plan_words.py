"""How the terminal shows plans, outcomes and closed doors."""

from __future__ import annotations

import json

import click

from opsmith.nouns.plan import (
    Act,
    Denied,
    Dossier,
    NeedsApproval,
    Outcome,
    PlanState,
)
from opsmith.wiring.plan_shapes import judgement_shape, outcome_shape, plan_shape


def say_dossier(dossier: Dossier, output: str, acts: tuple[Act, ...] = ()) -> None:
    """Print a plan with what has become of it, and what to type next."""
    if output == "json":
        click.echo(json.dumps(plan_shape(dossier, acts), indent=2))
        return
    made = dossier.plan
    click.echo(f"{made.id}  {dossier.state}  {made.made_by}: {made.why}")
    for number, step in enumerate(made.steps, start=1):
        back = f"  (cannot be undone: {step.irreversible})" if step.irreversible else ""
        click.echo(f"  {number}. {step.order.action} on {step.order.target}  [{step.risk}]{back}")
        click.echo(f"     {step.preview}")
    if made.waves:
        click.echo(f"  in waves of {', '.join(map(str, made.waves))} steps, checked between:")
    for one in made.checks:
        click.echo(f"  {one.kind} {one.subject}, within {one.within_s:g} s for {one.holds_s:g} s")
    for act in acts:
        click.echo(f"  step {act.number + 1} {act.state}: {act.says}")
    for given in dossier.approvals:
        click.echo(f"  approved by {given.approver} until {given.expires_at:%H:%M:%S}Z")
    for note in dossier.notes:
        click.echo(f"  {note}")
    click.echo(f"  {_next(dossier)}")


def _next(dossier: Dossier) -> str:
    """What policy says, and what to type next."""
    name = dossier.plan.id
    match dossier.judgement:
        case Denied(rule=rule, reason=reason):
            return f"denied ({rule}): {reason}"
        case _ if dossier.state not in {PlanState.PROPOSED, PlanState.APPROVED}:
            return f"it is {dossier.state}; what comes next needs a new plan"
        case NeedsApproval(rule=rule, approvers=wanted) if len(dossier.approvals) < wanted:
            return f"{rule}: needs {wanted} approval(s); then `opsmith approve {name}`"
        case judgement:
            return f"{judgement.rule}: `opsmith run {name}`"


def say_outcome(outcome: Outcome, output: str) -> None:
    """Print what came of a plan."""
    if output == "json":
        click.echo(json.dumps(outcome_shape(outcome), indent=2))
        return
    click.echo(f"{outcome.plan}  {outcome.state}: {outcome.says}")
    for one in outcome.acts:
        click.echo(f"  step {one.number + 1} {one.state}: {one.says}")


def say_denied(denied: Denied, output: str) -> None:
    """Print why a door stayed closed, for people and for programs."""
    click.echo(f"opsmith: denied ({denied.rule}): {denied.reason}", err=True)
    if output == "json":
        click.echo(json.dumps({"denied": judgement_shape(denied)}))
