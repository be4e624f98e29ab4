"""`opsmith principal`: who may come in over HTTP."""

from __future__ import annotations

import click


@click.group()
def principal() -> None:
    """Let people and programs in over HTTP, each by a key of their own."""


@principal.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator", "admin"]),
    default="operator",
    show_default=True,
    help="viewer only looks.",
)
@click.option("--tenant", default="default", show_default=True)
def add(name: str, role: str, tenant: str) -> None:
    """Add NAME to the principals file and print the key, once."""
    from opsmith.nouns.session import Principal, Role
    from opsmith.settings import load
    from opsmith.wiring.principals import add_principal

    key = add_principal(load(), Principal(name=name, role=Role(role), tenant=tenant))
    click.echo(key)
    click.echo("This key is shown once; `opsmith up` knows it after its next start.", err=True)
