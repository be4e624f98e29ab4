"""Writing the embedded graph: a few rows by MERGE, many by COPY."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import ladybug

from opsmith.backends.graph.embedded_rows import number, rows
from opsmith.backends.graph.merges import (
    Ends,
    Group,
    groups,
    link_merges,
    links_by_group,
    names,
    node_merges,
    nodes_by_kind,
)
from opsmith.backends.graph.rows import Row, link_row, node_row
from opsmith.backends.graph.schema import link_columns, node_columns
from opsmith.backends.graph.statements import said
from opsmith.nouns.graph import PAIRS, Link, Node, NodeKind, Subgraph

# From so many rows on they are copied in from a file, which costs a tenth a row.
BULK = 2000
# Rows in one statement: some megabytes of parameters.
BATCH = 1000


def write(connection: ladybug.Connection, part: Subgraph, folder: Path) -> None:
    """Add or renew a part. folder: where a file may lie for the time of a copy."""
    nodes = nodes_by_kind(part)
    if incidents := list(nodes.get(NodeKind.INCIDENT, ())):
        connection.execute(said("empty_incidents"), {"ids": incidents})
    for kind, members in nodes.items():
        _write_nodes(connection, kind, members, folder)
    known: dict[NodeKind, set[str]] = {}
    for group, between in links_by_group(part).items():
        if len(between) < BULK:
            _merge(connection, link_merges(group, between.values(), batch=BATCH))
        else:
            _copy_links(connection, group, between, known, folder)


def forget(connection: ladybug.Connection, before: str) -> int:
    """Drop what was not heard of since `before`; how many nodes."""
    given = {"before": before}
    for group in groups():
        connection.execute(said("forget_links", **names(group)), given)
    gone = 0
    for kind in NodeKind:
        gone += number(connection, said("count_old", LABEL=str(kind)), given)
        connection.execute(said("forget_nodes", LABEL=str(kind)), given)
    return gone


def _write_nodes(
    connection: ladybug.Connection, kind: NodeKind, members: Mapping[str, Node], folder: Path
) -> None:
    renewed = list(members.values())
    if len(renewed) >= BULK:
        known = _known_nodes(connection, kind)
        fresh = [node_row(node) for node in renewed if node.id not in known]
        renewed = [node for node in renewed if node.id in known]
        columns = node_columns(kind)
        _copy(connection, str(kind), ((row[name] for name in columns) for row in fresh), folder)
    _merge(connection, node_merges(kind, renewed, batch=BATCH))


def _copy_links(
    connection: ladybug.Connection,
    group: Group,
    links: Mapping[Ends, Link],
    known: dict[NodeKind, set[str]],
    folder: Path,
) -> None:
    """Copy the new links in, renew the others. known: ids of nodes by kind, read once a write."""
    for kind in group[1:]:
        if kind not in known:
            known[kind] = _known_nodes(connection, kind)
    there = {(str(a), str(b)) for a, b in rows(connection, said("known_links", **names(group)))}
    columns = link_columns(group[0])
    fresh = (
        (row["source"], row["target"], *(row[name] for name in columns))
        for ends, link in links.items()
        if ends not in there and ends[0] in known[group[1]] and ends[1] in known[group[2]]
        for row in (link_row(link),)
    )
    options = f", from='{group[1]}', to='{group[2]}'" if len(PAIRS[group[0]]) > 1 else ""
    _copy(connection, str(group[0]), fresh, folder, options=options)
    renewed = [links[ends] for ends in there & links.keys()]
    _merge(connection, link_merges(group, renewed, batch=BATCH))


def _copy(
    connection: ladybug.Connection,
    table: str,
    table_rows: Iterable[Iterable[object]],
    folder: Path,
    *,
    options: str = "",
) -> None:
    """Bring rows in through a file of ours, the only way that a hundred thousand take a second."""
    with tempfile.NamedTemporaryFile(
        "w", suffix=".csv", dir=folder, encoding="utf-8", newline=""
    ) as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(table_rows)
        file.flush()
        if not file.tell():
            return
        path = file.name.replace("\\", "\\\\").replace("'", "\\'")
        form = "HEADER=false, PARALLEL=false, ESCAPE='\"', QUOTE='\"'"
        connection.execute(f"COPY {table} FROM '{path}' ({form}{options})")


def _known_nodes(connection: ladybug.Connection, kind: NodeKind) -> set[str]:
    return {str(row[0]) for row in rows(connection, said("known_nodes", LABEL=str(kind)))}


def _merge(connection: ladybug.Connection, merges: Iterable[tuple[str, list[Row]]]) -> None:
    for statement, batch in merges:
        connection.execute(statement, {"rows": batch})
