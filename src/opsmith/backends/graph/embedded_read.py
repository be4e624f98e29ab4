"""Reading the embedded graph: around a node, everything, or what an operator asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import ladybug

from opsmith.backends.graph.embedded_rows import ask, number, rows
from opsmith.backends.graph.merges import groups, names
from opsmith.backends.graph.rows import link_of, node_of, plain
from opsmith.backends.graph.schema import link_columns, listed, node_columns, walked_columns
from opsmith.backends.graph.statements import said
from opsmith.errors import BadInput
from opsmith.nouns.graph import Link, LinkKind, Node, NodeKind, Subgraph, Table, kind_of
from opsmith.seams.graph import Around


def around(connection: ladybug.Connection, wanted: Around) -> Subgraph:
    """The nodes around one, nearest first; a statement a hop, so that a far one is not begun."""
    links: dict[tuple[LinkKind, str, str], Link] = {}
    columns = walked_columns()
    near: dict[str, None] = {wanted.start: None}
    cut = False
    for steps in range(wanted.hops):
        before = len(near)
        if before > wanted.enough:
            cut = True
            break
        walked = _hop(connection, wanted.start, steps)
        for here, there, kind in sorted(walked):
            fresh = [end for end in (here, there) if end not in near]
            if len(near) + len(fresh) > wanted.most:
                cut = True
                continue
            near.update(dict.fromkeys(fresh))
            told = dict(zip(columns, walked[here, there, kind], strict=True))
            link = link_of(kind, here, there, told)
            links[link.key] = link
        if len(near) == before:
            break
    nodes = _take(connection, list(near))
    return Subgraph(nodes=nodes, links=tuple(links.values()), cut=cut)


def _hop(
    connection: ladybug.Connection, start: str, steps: int
) -> dict[tuple[str, str, str], list[object]]:
    """The links of the nodes `steps` away from `start`, by ends and kind, with their values."""
    way = "".join(f"-[]-(n{step})" for step in range(1, steps + 1))
    passed = " AND ".join(f"label(n{step}) <> 'Incident'" for step in range(1, steps + 1))
    statement = said(
        "hop",
        LABEL=str(kind_of(start)),
        STEPS=way,
        PASSED=f"WHERE {passed}" if passed else "",
        LAST=f"n{steps}",
        PROPERTIES=listed("e", walked_columns()),
    )
    return {
        (str(here), str(there), str(kind)): values
        for here, there, kind, *values in rows(connection, statement, {"id": start})
    }


def _take(connection: ladybug.Connection, ids: Sequence[str]) -> tuple[Node, ...]:
    by_kind: defaultdict[NodeKind, list[str]] = defaultdict(list)
    for name in ids:
        by_kind[kind_of(name)].append(name)
    found: dict[str, Node] = {}
    for kind, members in by_kind.items():
        statement = said("take_nodes", LABEL=str(kind), PROPERTIES=listed("n", node_columns(kind)))
        for row in rows(connection, statement, {"ids": members}):
            node = node_of(dict(zip(node_columns(kind), row, strict=True)))
            found[node.id] = node
    return tuple(found[name] for name in ids if name in found)


def everything(connection: ladybug.Connection, wanted: Around) -> Subgraph:
    """All nodes up to the limit, and the links between them."""
    nodes: list[Node] = []
    for kind in NodeKind:
        statement = said("all_nodes", LABEL=str(kind), PROPERTIES=listed("n", node_columns(kind)))
        most = wanted.most + 1 - len(nodes)
        found = rows(connection, statement, {"most": most}) if most > 0 else []
        nodes += [node_of(dict(zip(node_columns(kind), row, strict=True))) for row in found]
    cut = len(nodes) > wanted.most
    del nodes[wanted.most :]
    ids = {node.id for node in nodes}
    links: list[Link] = []
    for group in groups():
        columns = link_columns(group[0])
        properties = listed("e", columns)
        for here, there, *values in rows(
            connection, said("all_links", **names(group), PROPERTIES=properties)
        ):
            if here in ids and there in ids:
                row = dict(zip(columns, values, strict=True))
                links.append(link_of(str(group[0]), str(here), str(there), row))
    return Subgraph(nodes=tuple(nodes), links=tuple(links), cut=cut)


def count(connection: ladybug.Connection) -> tuple[int, int]:
    """Nodes and links."""
    nodes = sum(number(connection, said("count_nodes", LABEL=str(kind))) for kind in NodeKind)
    links = sum(number(connection, said("count_links", TYPE=str(kind))) for kind in LinkKind)
    return nodes, links


def table(connection: ladybug.Connection, cypher: str, most: int) -> Table:
    """The first rows of the answer to a question. Raises `BadInput` when it fails."""
    try:
        answer = ask(connection, cypher)
        columns = tuple(answer.get_column_names())
        found: list[tuple[object, ...]] = []
        while answer.has_next() and len(found) < most:
            found.append(tuple(plain(value) for value in answer.get_next()))
        return Table(columns=columns, rows=tuple(found), cut=answer.has_next())
    except RuntimeError as error:
        raise _refused(error) from error


def _refused(error: RuntimeError) -> Exception:
    what = " ".join(str(error).split())
    if "Interrupted" in what:
        return BadInput("The query took too long.", hint="Ask for less, or give it more time.")
    if "Buffer manager" in what:
        return BadInput("The query needs more memory than it may have.", hint="Ask for less.")
    return BadInput(f"The graph did not understand the query: {what[:300]}")
