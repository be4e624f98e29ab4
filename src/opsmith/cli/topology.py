"""`opsmith topology …`: who calls whom, and how that is known."""

from __future__ import annotations

import asyncio
import json

import click

from opsmith.cli.options import output_option
from opsmith.nouns.topology import KnownEdge


@click.group()
def topology() -> None:
    """See who calls whom, by whom that was told, and when last."""


@topology.command()
@output_option
def show(output: str) -> None:
    """The edges of the topology file, of metrics and of traces that were investigated."""
    from opsmith.settings import load
    from opsmith.wiring.topology import topology as known_to

    edges, missing = asyncio.run(known_to(load()))
    for lack in missing:
        click.echo(f"opsmith: not asked: {lack}", err=True)
    if output == "json":
        told = {"edges": [_shape(edge) for edge in edges], "missing": missing}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for edge in edges:
        origins = ", ".join(one.origin for one in edge.sightings)
        last = edge.last.isoformat(timespec="seconds").replace("+00:00", "Z")
        click.echo(f"{edge.source} {edge.kind} {edge.target}  ({origins}; {last})")
    if not edges:
        click.echo("Nothing is known yet: see docs/how-to/changes.md.", err=True)


def _shape(edge: KnownEdge) -> dict[str, object]:
    return {
        "source": str(edge.source),
        "target": str(edge.target),
        "kind": edge.kind,
        "sightings": [
            {
                "origin": one.origin,
                "first": one.first.isoformat().replace("+00:00", "Z"),
                "last": one.last.isoformat().replace("+00:00", "Z"),
            }
            for one in edge.sightings
        ],
    }
