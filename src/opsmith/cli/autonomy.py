"""`opsmith autonomy …` and `opsmith runbook …`: what may happen by itself, and what would."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from opsmith.cli.options import output_option
from opsmith.errors import REFUSED_EXIT_CODE
from opsmith.nouns.plan import Autonomy, Denied

if TYPE_CHECKING:
    from opsmith.wiring.rules import Runbook


@click.group()
def autonomy() -> None:
    """See and set how far each class of actions may go by itself.

    shadow: it only says what it would do, and is scored when the cause is confirmed. ask: it
    proposes a plan. auto: it runs what policy lets through; this is earned by the class's
    record and lost after two bad outcomes.
    """


@autonomy.command("list")
@output_option
def list_(output: str) -> None:
    """Every class of actions with its record."""
    from opsmith import settings
    from opsmith.wiring.remedies import autonomy_list

    found = asyncio.run(autonomy_list(settings.load()))
    if output == "json":
        rows = [
            {
                "action": one.action,
                "level": one.level,
                "asked": one.asked,
                "helped": one.good,
                "did_not_help": one.bad,
                "helps_at_least": round(one.likely, 3),
                "why": one.why,
            }
            for one in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for one in found:
        record = f"{one.good} helped, {one.bad} did not (at least {one.likely:.0%})"
        click.echo(f"{one.action:<20}  {one.level:<7}  {record}  {one.why}")


@autonomy.command("set")
@click.argument("action")
@click.argument("level", type=click.Choice([str(one) for one in Autonomy]))
@output_option
def set_(action: str, level: str, output: str) -> None:
    """Let ACTION go as far as LEVEL; exit code 4 when its record does not bear it."""
    from opsmith import settings
    from opsmith.wiring.remedies import autonomy_set

    answer = asyncio.run(autonomy_set(settings.load(), action, Autonomy(level)))
    if isinstance(answer, Denied):
        click.echo(f"opsmith: denied ({answer.rule}): {answer.reason}", err=True)
        if output == "json":
            click.echo(json.dumps({"denied": {"rule": answer.rule, "reason": answer.reason}}))
        raise click.exceptions.Exit(REFUSED_EXIT_CODE)
    if output == "json":
        click.echo(json.dumps({"action": answer.action, "level": answer.level, "by": answer.by}))
        return
    click.echo(f"{answer.action} may go as far as {answer.level}.")


@click.group()
def runbook() -> None:
    """See what would be done about which fault, and check a file of runbooks."""


@runbook.command("list")
@output_option
def list_runbooks(output: str) -> None:
    """The runbooks in use, in the order in which they are tried."""
    from opsmith import settings
    from opsmith.wiring.rules import runbooks

    _say(runbooks(settings.load().runbooks_file), output)


@runbook.command()
@click.argument("file", type=click.Path(path_type=Path))
@output_option
def check(file: Path, output: str) -> None:
    """Check FILE, its actions and their values too."""
    from opsmith.wiring.act import actions
    from opsmith.wiring.rules import runbooks

    found = runbooks(file)
    known = actions()
    for one in found:
        for step in one.steps:
            known.fits(step.action, step.values)
    _say(found, output)


def _say(found: tuple[Runbook, ...], output: str) -> None:
    if output == "json":
        rows = [
            {
                "name": one.name,
                "kinds": sorted(one.kinds),
                "entities": list(one.entities),
                "confidence_above": one.confidence_above,
                "evidence": sorted(one.evidence),
                "reachable": one.reachable,
                "steps": [
                    {"action": step.action, "target": step.target, "values": dict(step.values)}
                    for step in one.steps
                ],
            }
            for one in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for one in found:
        steps = ", ".join(f"{step.action} on {step.target}" for step in one.steps)
        click.echo(f"{one.name}: {', '.join(sorted(one.kinds))} -> {steps}")
