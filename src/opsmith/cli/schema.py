"""`opsmith schema`: check, list and show task schemas."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from opsmith.cli.options import output_option

_FOLDER = click.option(
    "--schemas",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder of task schemas of your own.",
)


@click.group()
def schema() -> None:
    """Check, list and show task schemas."""


@schema.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@output_option
def check(files: tuple[Path, ...], output: str) -> None:
    """Check FILES; every problem with its line, column and a suggestion. Ends with 1 on any."""
    from opsmith.wiring.parse import schema_problems

    found = {str(path): schema_problems(path) for path in files}
    if output == "json":
        rows = {
            name: [
                {
                    "line": one.line,
                    "column": one.column,
                    "message": one.message,
                    "suggestion": one.suggestion,
                }
                for one in problems
            ]
            for name, problems in found.items()
        }
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for name, problems in found.items():
            for one in problems:
                click.echo(f"{name}:{one}")
            if not problems:
                click.echo(f"{name}: good")
    if any(found.values()):
        sys.exit(1)


@schema.command("list")
@_FOLDER
@output_option
def list_schemas(schemas: Path | None, output: str) -> None:
    """List the task schemas in use."""
    from opsmith.wiring.parse import task_schemas

    found = task_schemas(schemas)
    if output == "json":
        rows = [
            {"task_id": one.task_id, "intent": one.intent, "risk": one.risk, "title": one.title}
            for one in found
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for one in found:
        click.echo(f"{one.task_id:<22} {one.risk:<12} {one.title}")


@schema.command()
@click.argument("task_id")
@_FOLDER
@output_option
def show(task_id: str, schemas: Path | None, output: str) -> None:
    """Show one task schema: its slots, what it needs, and examples."""
    from opsmith.wiring.parse import task_schema

    one = task_schema(task_id, schemas)
    needs = [" or ".join(either) for either in one.required]
    if output == "json":
        row = {
            "task_id": one.task_id,
            "version": one.version,
            "title": one.title,
            "intent": one.intent,
            "risk": one.risk,
            "required": needs,
            "expected_output_format": one.output_format,
            "inputs": one.inputs,
            "examples": one.examples,
        }
        click.echo(json.dumps(row, ensure_ascii=False, indent=2))
        return
    click.echo(f"{one.task_id} (version {one.version}): {one.title}; risk {one.risk}")
    click.echo(f"needs: {'; '.join(needs) or 'nothing'}")
    click.echo(f"knows: {', '.join(one.slots)}")
    for example in one.examples:
        click.echo(f"  {example}")
