"""`opsmith doctor`: what is installed, reachable and missing."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby

import click

from opsmith import settings, wiring
from opsmith.cli.options import output_option
from opsmith.nouns.checkup import Checkup, State

EXIT_CODES = {State.OK: 0, State.MISSING: 1, State.UNREACHABLE: 3}
_MARKS = {State.OK: "ok", State.ABSENT: "-", State.MISSING: "MISSING", State.UNREACHABLE: "DOWN"}
_TITLES = {
    "python": "Python",
    "package": "Packages",
    "extra": "Extras (optional)",
    "tool": "Tools (optional)",
    "setting": "Settings",
    "data": "Data",
    "server": "Servers",
    "kernel": "Kernel (for the sandbox)",
}


@click.command()
@output_option
@click.pass_context
def doctor(ctx: click.Context, output: str) -> None:
    """Say what is installed, reachable and missing; changes nothing.

    Exit codes: 0 all that is needed is there, 1 something needed is missing,
    3 a configured server does not answer.
    """
    checkup = wiring.check_up(settings.load())
    if output == "json":
        said = {"status": checkup.state, "findings": [asdict(f) for f in checkup.findings]}
        click.echo(json.dumps(said, ensure_ascii=False, indent=2))
    else:
        click.echo(_text(checkup))
    ctx.exit(EXIT_CODES[checkup.state])


def _text(checkup: Checkup) -> str:
    lines: list[str] = []
    for area, group in groupby(checkup.findings, key=lambda finding: finding.area):
        lines.append(_TITLES[area])
        for finding in group:
            hint = f"  ({finding.hint})" if finding.hint else ""
            lines.append(f"  {_MARKS[finding.state]:<8}{finding.name:<22} {finding.detail}{hint}")
    worst = {
        State.OK: "All that is needed is there.",
        State.MISSING: "Something that is needed is missing.",
        State.UNREACHABLE: "A configured server does not answer.",
    }
    return "\n".join([*lines, "", worst[checkup.state]])
