"""Reading the graph of a Bolt server: around a node, or everything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import neo4j

from opsmith.backends.graph.bolt_rows import collected, lists, rows
from opsmith.backends.graph.merges import groups, names
from opsmith.backends.graph.rows import link_of, node_of
from opsmith.backends.graph.schema import link_columns, listed, node_columns, walked_columns
from opsmith.backends.graph.statements import said
from opsmith.nouns.graph import Link, LinkKind, Node, NodeKind, Subgraph, kind_of
from opsmith.seams.graph import Around

# The kind of a link, its source and its target.
Key = tuple[LinkKind, str, str]


async def around(tx: neo4j.AsyncManagedTransaction, wanted: Around) -> Subgraph:
    """The nodes around one, nearest first.

    The walk asks for ids alone; only of what is kept the properties are fetched, once.
    """
    near: dict[str, None] = {wanted.start: None}
    walked: dict[Key, str] = {}
    edge, cut = [wanted.start], False
    for _ in range(wanted.hops):
        if edge and len(near) > wanted.enough:
            cut = True
            break
        rim: list[str] = []
        for key, here, there in await _step(tx, edge):
            fresh = there not in near
            if fresh and len(near) >= wanted.most:
                cut = True
                continue
            walked.setdefault(key, here)
            if fresh:
                near[there] = None
                rim.append(there)
        edge = [name for name in rim if kind_of(name) is not NodeKind.INCIDENT]
    nodes = await _take_nodes(tx, near)
    links = await _take_links(tx, walked)
    kept = (links[key] for key in walked if key in links)
    return Subgraph(
        nodes=tuple(nodes[name] for name in near if name in nodes),
        links=tuple(link for link in kept if link.source in nodes and link.target in nodes),
        cut=cut,
    )


async def everything(tx: neo4j.AsyncManagedTransaction, wanted: Around) -> Subgraph:
    """All nodes up to the limit, and the links between them."""
    nodes: dict[str, Node] = {}
    for kind in NodeKind:
        most = wanted.most + 1 - len(nodes)
        if most <= 0:
            break
        columns = node_columns(kind)
        statement = said("all_nodes", LABEL=str(kind), PROPERTIES=listed("n", columns))
        for row in await rows(tx, statement, {"most": most}):
            node = node_of(dict(zip(columns, row, strict=True)))
            nodes[node.id] = node
    cut = len(nodes) > wanted.most
    kept = dict(list(nodes.items())[: wanted.most])
    links = []
    for group in groups():
        columns = link_columns(group[0])
        statement = said("all_links", **names(group), PROPERTIES=listed("e", columns))
        for here, there, *values in await rows(tx, statement, {}):
            if here in kept and there in kept:
                told = dict(zip(columns, values, strict=True))
                links.append(link_of(str(group[0]), str(here), str(there), told))
    return Subgraph(nodes=tuple(kept.values()), links=tuple(links), cut=cut)


async def _step(
    tx: neo4j.AsyncManagedTransaction, ids: Sequence[str]
) -> list[tuple[Key, str, str]]:
    """The links of some nodes in one order, each with the end it was found from and the other."""
    found: list[tuple[Key, str, str]] = []
    for kind, members in sorted(_by_kind(ids).items()):
        columns = await lists(tx, said("step", LABEL=str(kind)), {"ids": members})
        for near, far, link, outward in zip(*columns, strict=True):
            here, there = str(near), str(far)
            ends = (here, there) if outward else (there, here)
            found.append(((LinkKind(str(link)), *ends), here, there))
    return sorted(found, key=lambda one: (one[0][1], one[0][2], one[0][0], one[1]))


async def _take_nodes(tx: neo4j.AsyncManagedTransaction, ids: Iterable[str]) -> Mapping[str, Node]:
    found: dict[str, Node] = {}
    for kind, members in _by_kind(ids).items():
        columns = node_columns(kind)
        wanted = f"collect([{listed('n', columns)}])"
        statement = said("take_nodes", LABEL=str(kind), PROPERTIES=wanted)
        for row in await collected(tx, statement, {"ids": members}):
            node = node_of(dict(zip(columns, row, strict=True)))
            found[node.id] = node
    return found


async def _take_links(
    tx: neo4j.AsyncManagedTransaction, walked: Mapping[Key, str]
) -> Mapping[Key, Link]:
    """Links by their keys. walked: their keys, with the end of each that it was found from."""
    others: defaultdict[str, list[str]] = defaultdict(list)
    for (_, source, target), here in walked.items():
        others[here].append(target if here == source else source)
    columns = walked_columns()
    found: dict[Key, Link] = {}
    for kind, members in _by_kind(others).items():
        statement = said("take_links", LABEL=str(kind), PROPERTIES=listed("e", columns))
        wanted = [{"id": name, "others": others[name]} for name in members]
        for row in await collected(tx, statement, {"rows": wanted}):
            here, there, told = map(str, row[:3])
            link = link_of(told, here, there, dict(zip(columns, row[3:], strict=True)))
            found[link.key] = link
    return found


def _by_kind(ids: Iterable[str]) -> Mapping[NodeKind, list[str]]:
    found: defaultdict[NodeKind, list[str]] = defaultdict(list)
    for name in ids:
        found[kind_of(name)].append(name)
    return found
