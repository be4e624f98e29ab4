"""`opsmith plan`, `plans`, `approve`, `reject`, `run`, `actions`: changes, under control."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from opsmith.cli.options import output_option
from opsmith.cli.plan_words import say_denied, say_dossier, say_outcome
from opsmith.errors import REFUSED_EXIT_CODE
from opsmith.nouns.plan import (
    Act,
    Denied,
    Dossier,
    PlanState,
)
from opsmith.wiring.plan_shapes import plan_shape

if TYPE_CHECKING:
    from opsmith.wiring.act import ChangeControl

T = TypeVar("T")
# A name without spaces; anything else in the place of an incident is a sentence.
_INCIDENT = re.compile(r"[A-Za-z0-9._:-]+")
_TIMEOUT_S = 60.0
_CHECK = (
    "What must come true and stay so after each wave: expression_quiet=PROMQL,"
    " within_forecast=PROMQL, http_ok=URL."
)


@click.command()
@click.argument("what", metavar="INCIDENT|SENTENCE|TASK|ACTION")
@click.argument("target", metavar="[TYPE:NAME]", required=False)
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--why", default="", help="The reason for an action; it stands on the ledger.")
@click.option("--incident", default="", metavar="ID", help="The incident that an action answers.")
@click.option("--also", multiple=True, metavar="TYPE:NAME", help="Further targets, in waves.")
@click.option("--ramp", default="", metavar="NAME=V1,V2,…", help="One step a value, in waves.")
@click.option("--check", "checks", multiple=True, metavar="KIND=SUBJECT", help=_CHECK)
@output_option
def plan(  # noqa: PLR0913 - what a person may type
    *,
    what: str,
    target: str | None,
    values: tuple[str, ...],
    why: str,
    incident: str,
    also: tuple[str, ...],
    ramp: str,
    checks: tuple[str, ...],
    output: str,
) -> None:
    """Rehearse a change and say what policy wants; nothing is changed.

    Give an incident, to which the fitting runbook is applied; a sentence, or a task with its slots
    (restart_service service=cart), as `opsmith ask` takes them; or an action with its target. See
    `opsmith actions`, `opsmith schema list` and `opsmith runbook list`. Several targets or values
    go in waves: one, two, four and so on, with the checks watched between, and all undone when
    one does not hold. Exit code 4 when policy refuses it, or a sentence waits for approval.
    """
    from opsmith import settings
    from opsmith.wiring import act
    from opsmith.wiring.parse import is_task
    from opsmith.wiring.remedies import plan_incident
    from opsmith.wiring.sessions import os_user

    if is_task(what) or (target is None and not _INCIDENT.fullmatch(what)):
        _spoken(what, [target, *values] if target else [], output)
    if target is None:
        dossier = asyncio.run(plan_incident(settings.load(), what))
    elif not why.strip():
        raise click.UsageError("An action needs --why; it stands on the ledger.")
    else:
        widening = act.Widening(also=also, ramp=ramp, checks=checks)
        wanted = act.proposal(what, target, values, why=why, incident=incident, widening=widening)
        dossier = _controlled(lambda control: control.propose(wanted, by=os_user()))
    say_dossier(dossier, output)
    if isinstance(dossier.judgement, Denied):
        raise click.exceptions.Exit(REFUSED_EXIT_CODE)


def _spoken(what: str, slots: list[str], output: str) -> None:
    """Plan what a sentence or a task asks for, and end with the exit code of `ask`."""
    from opsmith.cli.talk import Talk
    from opsmith.wiring.ask import AskSources

    talk = Talk(json_wanted=output == "json", sources=AskSources(), timeout_s=_TIMEOUT_S)
    code = asyncio.run(talk.planned(what, slots))
    click.get_current_context().exit(code)


@click.group()
def plans() -> None:
    """See the plans that were made and what came of them."""


@plans.command("list")
@output_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
def list_(output: str, limit: int) -> None:
    """The plans, the one that changed last first."""
    from opsmith.wiring.sessions import os_user

    found = _controlled(lambda control: control.plans(by=os_user()))[:limit]
    if output == "json":
        click.echo(json.dumps([plan_shape(one) for one in found], indent=2))
        return
    if not found:
        click.echo("There are no plans.")
    for one in found:
        made = f"{one.plan.made_at:%Y-%m-%d %H:%M:%S}Z"
        click.echo(f"{one.plan.id}  {one.state:<8}  {made}  {one.plan.made_by}: {one.plan.why}")


@plans.command()
@click.argument("name", metavar="PLAN")
@output_option
def show(name: str, output: str) -> None:
    """One plan with its steps, its approvals and what was done."""
    from opsmith.wiring.sessions import os_user

    async def both(control: ChangeControl) -> tuple[Dossier, tuple[Act, ...]]:
        by = os_user()
        return await control.plan(name, by=by), await control.acts(name, by=by)

    dossier, acts = _controlled(both)
    say_dossier(dossier, output, acts)


@click.command()
@click.argument("name", metavar="PLAN")
@output_option
def approve(name: str, output: str) -> None:
    """Say yes to PLAN as the user that you are; it holds for ten minutes and one run."""
    from opsmith.wiring.sessions import os_user

    answer = _controlled(lambda control: control.approve(name, by=os_user()))
    if isinstance(answer, Denied):
        say_denied(answer, output)
        raise click.exceptions.Exit(REFUSED_EXIT_CODE)
    say_dossier(answer, output)


@click.command()
@click.argument("name", metavar="PLAN")
@click.option("--why", default="", help="The reason; it stands on the ledger.")
@output_option
def reject(name: str, why: str, output: str) -> None:
    """Say no to PLAN; it is never carried out."""
    from opsmith.wiring.sessions import os_user

    say_dossier(_controlled(lambda control: control.reject(name, by=os_user(), why=why)), output)


@click.command()
@click.argument("name", metavar="PLAN")
@output_option
def run(name: str, output: str) -> None:
    """Carry PLAN out, verify it, and undo it when it did not do what it should.

    Exit code 0 done, 1 not done or undone, 4 when policy, approvals or a doubt closed the door.
    """
    from opsmith.wiring.sessions import os_user

    answer = _controlled(lambda control: control.run(name, by=os_user()))
    if isinstance(answer, Denied):
        say_denied(answer, output)
        raise click.exceptions.Exit(REFUSED_EXIT_CODE)
    say_outcome(answer, output)
    raise click.exceptions.Exit(0 if answer.state is PlanState.DONE else 1)


@click.command()
@click.argument("name", metavar="PLAN")
@output_option
def undo(name: str, output: str) -> None:
    """Take back what PLAN did, last step first; also one whose process died half-way.

    Exit code 0 undone, 1 when something stays as it is, 4 when it may not be undone.
    """
    from opsmith.wiring.sessions import os_user

    answer = _controlled(lambda control: control.undo(name, by=os_user()))
    if isinstance(answer, Denied):
        say_denied(answer, output)
        raise click.exceptions.Exit(REFUSED_EXIT_CODE)
    say_outcome(answer, output)
    raise click.exceptions.Exit(0 if answer.state is PlanState.UNDONE else 1)


@click.command()
@output_option
def actions(output: str) -> None:
    """What opsmith can do: each action with its risk, its values and how it is undone."""
    from opsmith.wiring.act import actions as known

    found = known()
    specs = [action.spec for action in found]
    for why in found.refused.values():
        click.echo(f"opsmith: {why}", err=True)
    if output == "json":
        shown = [
            {
                "name": spec.name,
                "title": spec.title,
                "risk": spec.risk,
                "targets": sorted(spec.targets),
                "inputs": dict(spec.inputs),
                "rights": spec.rights,
                "undo": spec.undo,
                "irreversible": spec.irreversible,
                "deadline_s": spec.deadline_s,
            }
            for spec in specs
        ]
        click.echo(json.dumps(shown, indent=2))
        return
    for spec in specs:
        back = f"undo: {spec.undo}" if spec.undo else f"irreversible: {spec.irreversible}"
        click.echo(f"{spec.name:<20}  {spec.risk:<11}  {spec.title}\n    {back}")


def _controlled(do: Callable[[ChangeControl], Awaitable[T]]) -> T:
    from opsmith import settings
    from opsmith.wiring.act import desk

    async def done() -> T:
        async with desk(settings.load()) as house:
            return await do(house.control)

    return asyncio.run(done())
