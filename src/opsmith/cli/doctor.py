"""`opsmith doctor`: what is installed, reachable and missing."""

from __future__ import annotations

import click


@click.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def doctor(output: str) -> None:
    """Say what is installed, reachable and missing."""
    click.echo(output)
