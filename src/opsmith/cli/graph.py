"""`opsmith graph`: what is known of incidents as a graph: asked, shown, filled, written out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import click

from opsmith.cli.options import output_option
from opsmith.nouns.graph import Link, LinkKind, Node, Subgraph, Table

# The widest a column is on a terminal.
WIDEST = 60
# Lines of each sort that are shown; more is read by a program.
MOST_LINES = 12


@click.group()
def graph() -> None:
    """Ask what is known of incidents: alerts, metrics, log templates, changes, components.

    The graph is a file in the data folder, or Neo4j at OPSMITH_GRAPH_URL (docs/how-to/graph.md).
    """


@graph.command()
@click.argument("cypher")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option(
    "--timeout",
    type=click.FloatRange(0.01, 600),
    default=10.0,
    show_default=True,
    help="Seconds after which the query is given up.",
)
@output_option
def query(cypher: str, limit: int, timeout: float, output: str) -> None:
    """Answer a question in CYPHER (openCypher); nothing can be changed by it.

    Example: 'MATCH (m:Metric)-[t:TRIGGERS]->(a:Alert) RETURN a.name, m.name, t.weight'.
    """
    from opsmith import settings
    from opsmith.wiring import graph as wired

    table = asyncio.run(wired.ask(settings.load(), cypher, most=limit, within_s=timeout))
    if output == "json":
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        click.echo(json.dumps({"rows": rows, "cut": table.cut}, indent=2, ensure_ascii=False))
        return
    click.echo(_table(table))
    if table.cut:
        click.echo(f"There are more rows than {limit}: see --limit.", err=True)


@graph.command()
@click.argument("incident")
@click.option("--hops", type=click.IntRange(1, 5), default=3, show_default=True)
@output_option
def show(incident: str, hops: int, output: str) -> None:
    """What lies around INCIDENT: what set off its alerts, what acted together, who was touched."""
    found = _slice(f"incident:{incident}", hops)
    click.echo(_json(found) if output == "json" else _text(found))


@graph.command()
@click.option("--incident", help="Only what lies around this incident.")
@click.option("--hops", type=click.IntRange(1, 5), default=3, show_default=True)
@click.option(
    "--format", "form", type=click.Choice(["graphml", "json"]), default="json", show_default=True
)
def export(incident: str | None, hops: int, form: str) -> None:
    """Write the graph to standard output, as JSON or as GraphML for yEd, Gephi and the like."""
    from opsmith.cli.graphml import graphml

    found = _slice(f"incident:{incident}" if incident else "", hops)
    click.echo(graphml(found) if form == "graphml" else _json(found))


@graph.command()
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@output_option
def load(bundles: tuple[Path, ...], output: str) -> None:
    """Investigate recorded incidents (BUNDLES) and write what was found to the graph."""
    from opsmith import settings
    from opsmith.wiring import graph as wired

    async def loaded() -> list[tuple[str, int, int]]:
        done = []
        async for name, part in wired.load(settings.load(), bundles):
            done.append((name, len(part.nodes), len(part.links)))
            if output == "text":
                click.echo(f"{name}: {len(part.nodes)} nodes, {len(part.links)} links")
        return done

    done = asyncio.run(loaded())
    if output == "json":
        click.echo(
            json.dumps([{"incident": n, "nodes": k, "links": e} for n, k, e in done], indent=2)
        )


def _slice(start: str, hops: int) -> Subgraph:
    from opsmith import settings
    from opsmith.wiring import graph as wired

    return asyncio.run(wired.export(settings.load(), start, hops=hops))


def _json(part: Subgraph) -> str:
    from opsmith.http.graph_shapes import SubgraphShape

    return SubgraphShape.of(part).model_dump_json(indent=2)


def _table(table: Table) -> str:
    shown = [table.columns, *([_cell(value) for value in row] for row in table.rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(table.columns))]
    lines = [_line(row, widths) for row in shown]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths), *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _short("" if value is None else text)


def _text(part: Subgraph) -> str:
    names = {node.id: node for node in part.nodes}
    start = part.nodes[0]
    own = {link.target for link in part.links if link.source == start.id}
    lines = [_short(f"{start.id}  {start.name}"), *_told(start)]
    for kind, title in (
        (LinkKind.TRIGGERS, "What set off the alerts"),
        (LinkKind.CORRELATES_WITH, "What acted together"),
        (LinkKind.CHANGED, "What was changed"),
        (LinkKind.CALLS, "Who calls whom"),
        (LinkKind.RUNS_ON, "What runs where"),
    ):
        found = sorted(
            (link for link in part.links if link.kind is kind and _concerns(link, own)),
            key=lambda one: -one.weight,
        )
        if found:
            lines += ["", f"{title}:", *(_link(link, names) for link in found[:MOST_LINES])]
        if len(found) > MOST_LINES:
            lines.append(f"  and {len(found) - MOST_LINES} more: see -o json")
    links = f"{len(part.nodes)} nodes, {len(part.links)} links"
    return "\n".join([*lines, "", f"{links}; more was left out." if part.cut else f"{links}."])


def _concerns(link: Link, own: set[str]) -> bool:
    """Whether a weighed link is between signals of the incident itself; others only touch it."""
    ends = {link.source, link.target}
    return ends <= own if link.parts else bool(ends & own)


def _told(start: Node) -> list[str]:
    sentence = start.texts.get("sentence", "")
    return [f"  {_plain(sentence)}"] if sentence else []


def _link(link: Link, names: dict[str, Node]) -> str:
    ends = " -> ".join(_short(_name(end, names)) for end in (link.source, link.target))
    if not link.parts:
        return f"  {ends}"
    parts = ", ".join(f"{name} {value:.3g}" for name, value in link.parts.items())
    return f"  {link.weight:.2f}  {ends}  ({parts})"


def _name(end: str, names: dict[str, Node]) -> str:
    node = names.get(end)
    if node is None:
        return end
    owner = node.texts.get("entity", "")
    return f"{node.name} of {owner}" if owner else node.id


def _short(text: str) -> str:
    """One line of a stranger's text that steers no terminal."""
    plain = _plain(text)
    return plain if len(plain) <= WIDEST else plain[: WIDEST - 1] + "…"


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
