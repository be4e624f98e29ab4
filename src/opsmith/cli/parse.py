"""`opsmith parse`: a sentence -> the checked tasks, a question, or a refusal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from opsmith.cli.options import output_option


@click.command()
@click.argument("sentence", required=False)
@output_option
@click.option(
    "--inventory",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Names that exist: services, hosts, aliases (JSON or YAML).",
)
@click.option(
    "--context",
    type=click.Path(path_type=Path, dir_okay=False),
    help='Turns before this one: a JSON list of {"role", "text"}.',
)
@click.option(
    "--schemas",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder of task schemas of your own.",
)
@click.option(
    "--zone", default="UTC", show_default=True, help="Zone of clock times that say none."
)
def parse(
    sentence: str | None,
    output: str,
    inventory: Path | None,
    context: Path | None,
    schemas: Path | None,
    zone: str,
) -> None:
    """Show how SENTENCE (or standard input) is understood; nothing is carried out.

    Ends with 0 whatever the answer: tasks, a question or a refusal.
    """
    from opsmith.settings import load
    from opsmith.wiring.intent import intents
    from opsmith.wiring.parse import Sources, read_sentence, reading_as_json, reading_as_text
    from opsmith.wiring.sessions import os_user

    text = sentence if sentence is not None else sys.stdin.buffer.read().decode("utf-8", "replace")
    sources = Sources(
        inventory=inventory,
        context=context,
        schemas=schemas,
        zone=zone,
        intents=intents(load(), os_user().tenant),
    )
    reading = read_sentence(text, sources)
    if output == "json":
        click.echo(json.dumps(reading_as_json(reading), ensure_ascii=False, indent=2))
    else:
        click.echo(reading_as_text(reading))
