"""`opsmith ranker`: the weights that rank causes, shown, refitted and reset."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from opsmith.cli.options import output_option
from opsmith.nouns.weights import WeightsCard
from opsmith.settings import load
from opsmith.wiring import weights


@click.group()
def ranker() -> None:
    """Look at the weights that rank causes, or learn them from solved incidents."""


@ranker.command()
@click.argument("bundles", type=click.Path(path_type=Path))
@click.option(
    "--truth",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help='JSON lines {"incident": FOLDER, "entity": "TYPE:NAME"}, kept outside the bundles.',
)
@output_option
def fit(bundles: Path, truth: Path, output: str) -> None:
    """Learn from the solved incidents recorded in the folders of BUNDLES.

    `opsmith investigate` uses the new weights from then on; `ranker reset` forgets them.
    """
    _tell(weights.fit_weights(bundles, truth, load()), output)


@ranker.command()
@output_option
def show(output: str) -> None:
    """Say which weights are in use and where they come from."""
    _tell(weights.weights_card(load()), output)


@ranker.command()
def reset() -> None:
    """Forget the weights of your own; the shipped ones serve again."""
    there = weights.reset_weights(load())
    click.echo("Forgotten." if there else "There were none: the shipped weights are in use.")


def _tell(card: WeightsCard, output: str) -> None:
    if output == "json":
        click.echo(json.dumps({**asdict(card), "channels": dict(card.channels)}, indent=2))
        return
    if card.used:
        click.echo(f"Learned from {len(card.used)} incidents: {', '.join(card.used)}.")
    if card.unused:
        click.echo(f"Left out, named on one side only: {', '.join(card.unused)}.")
    channels = ", ".join(f"{name} {weight:g}" for name, weight in sorted(card.channels.items()))
    click.echo(f"Weights: {card.origin}.")
    click.echo(f"Base rates from {card.incidents} past incidents, {card.cases} of them solved.")
    click.echo(f"Channels: {channels or 'all 1'}.")
    click.echo(f"Forests: {card.trees} trees over {card.columns} name-free columns.")
    click.echo(f"Temperature: {card.temperature:g}.")
