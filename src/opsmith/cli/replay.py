"""`opsmith replay INCIDENT`: the report made again from what was kept."""

from __future__ import annotations

import json
from pathlib import Path

import click

from opsmith.cli.options import output_option
from opsmith.cli.saving import save


@click.command()
@click.argument("incident")
@click.option("--report", type=click.Path(path_type=Path), help="Write it: .html or .md.")
@output_option
def replay(incident: str, report: Path | None, output: str) -> None:
    """Investigate INCIDENT again, offline, and say whether every byte is as it was.

    Exit code 1 when the report differs from the one whose digest is on the ledger.
    """
    from opsmith.settings import load
    from opsmith.wiring import replay as wired

    found = wired.replay(load(), incident)
    if report is not None:
        markdown = report.suffix == ".md"
        save(report, found.report.markdown if markdown else found.report.html)
    if output == "json":
        told = {
            "incident": incident,
            "same": not found.differs,
            "html": found.look.html,
            "made_at": found.look.at.isoformat(),
            "differs": list(found.differs),
        }
        click.echo(json.dumps(told, indent=2))
    elif found.differs:
        click.echo("\n".join(found.differs))
    else:
        made = f"{found.look.at:%Y-%m-%d %H:%M:%S}Z"
        click.echo(
            f"{incident}: the report of {made} again, byte for byte ({found.look.html[:12]}…)"
        )
    raise click.exceptions.Exit(1 if found.differs else 0)
