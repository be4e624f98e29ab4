"""`opsmith intent`: train, measure, list and swap the adapters that recognise intents."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from opsmith.cli.options import output_option

if TYPE_CHECKING:
    from opsmith.wiring.intent import AdapterCard

_DATA = click.argument("data", type=click.Path(path_type=Path, dir_okay=False))
_SHOWN_MISSES = 10
_TENANT = click.option(
    "--tenant", default="", help="The adapters of this tenant alone, instead of the shared ones."
)
_INVENTORY = click.option(
    "--inventory",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Names that DATA holds; they are shown by what they name, as when it serves.",
)


@click.group()
def intent() -> None:
    """Look after the model that is asked where the rules for sentences do not decide."""


@intent.command()
@_DATA
@click.option("--name", required=True, help="What the new adapter is called.")
@click.option("--notes", default="", help="What DATA is and under which licence, kept with it.")
@_TENANT
@_INVENTORY
@output_option
def train(
    data: Path, name: str, notes: str, tenant: str, inventory: Path | None, output: str
) -> None:
    """Learn from DATA, JSON lines {"text", "intent"}; `use` puts the result into use.

    A fifth of DATA is held out to choose and to calibrate, then all of it is learned.
    """
    from opsmith.settings import load
    from opsmith.wiring.intent import train_adapter

    made = train_adapter(data, name, load(), notes=notes, tenant=tenant, inventory=inventory)
    _tell([made], output)


@intent.command("eval")
@_DATA
@click.option("--adapter", help="The adapter to measure instead of the one in use.")
@_TENANT
@_INVENTORY
@output_option
def evaluate(
    data: Path, adapter: str | None, tenant: str, inventory: Path | None, output: str
) -> None:
    """Measure an adapter on DATA, JSON lines {"text", "intent"}."""
    from opsmith.settings import load
    from opsmith.wiring.intent import score_adapter

    score = score_adapter(data, adapter, load(), tenant=tenant, inventory=inventory)
    if output == "json":
        click.echo(json.dumps(asdict(score), ensure_ascii=False, indent=2))
        return
    click.echo(f"{score.sentences} sentences, {score.right:.1%} right when it must answer.")
    click.echo(f"It answers {score.answered:.1%}, {score.right_when_answered:.1%} of them right.")
    for text, wanted, read in score.misses[:_SHOWN_MISSES]:
        click.echo(f"  {wanted} read as {read}: {text[:100]}")


@intent.command()
@_TENANT
@output_option
def adapters(tenant: str, output: str) -> None:
    """List the adapters; the one in use is marked."""
    from opsmith.settings import load
    from opsmith.wiring.intent import adapters as found

    _tell(list(found(load(), tenant=tenant)), output)


@intent.command()
@click.argument("name")
@_TENANT
@output_option
def use(name: str, tenant: str, output: str) -> None:
    """Put the adapter NAME into use, unless it is damaged or worse than the one before.

    For a tenant, NAME is one of its own, or `shared` for whatever all others are served.

    Processes that serve take it up within half a second, without losing a request.
    """
    from opsmith.settings import load
    from opsmith.wiring.intent import use_adapter

    _tell([use_adapter(name, load(), tenant=tenant)], output)


@intent.command()
@_TENANT
def rollback(tenant: str) -> None:
    """Go back to the adapter that was in use before."""
    from opsmith.settings import load
    from opsmith.wiring.intent import roll_back

    click.echo(f"{roll_back(load(), tenant=tenant)} is in use.")


def _tell(cards: list[AdapterCard], output: str) -> None:
    if output == "json":
        rows = [{**asdict(card), "scores": dict(card.scores)} for card in cards]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for card in cards:
        mark = "*" if card.active else " "
        if card.fault:
            click.echo(f"{mark} {card.name:<20} cannot serve: {card.fault}")
            continue
        scores = dict(card.scores)
        held = scores.get("held_out_accuracy")
        told = f", {held:.1%} of held-out sentences right" if held is not None else ""
        click.echo(f"{mark} {card.name:<20} {card.version}  {card.labels} intents{told}")
        if card.notes:
            click.echo(f"    {card.notes}")
