"""Merges: a part of the graph as statements that both dialects understand, batch by batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from opsmith.backends.graph.rows import Row, link_row, node_row
from opsmith.backends.graph.schema import assignments, link_columns, node_columns
from opsmith.backends.graph.statements import said
from opsmith.nouns.graph import PAIRS, Link, LinkKind, Node, NodeKind, Subgraph, kind_of

# A kind of link between two kinds of nodes.
Group = tuple[LinkKind, NodeKind, NodeKind]
Ends = tuple[str, str]


def groups() -> Iterator[Group]:
    """Every kind of link with every pair of kinds that it joins."""
    for kind in LinkKind:
        for source, target in sorted(PAIRS[kind]):
            yield kind, source, target


def names(group: Group) -> dict[str, str]:
    """What stands for a group in a statement."""
    return {"TYPE": str(group[0]), "SOURCE": str(group[1]), "TARGET": str(group[2])}


def nodes_by_kind(part: Subgraph) -> Mapping[NodeKind, dict[str, Node]]:
    """The nodes of each kind by id; of two with one id the later."""
    found: defaultdict[NodeKind, dict[str, Node]] = defaultdict(dict)
    for node in part.nodes:
        found[node.kind][node.id] = node
    return found


def links_by_group(part: Subgraph) -> Mapping[Group, dict[Ends, Link]]:
    """The links of each group by their ends; of two between the same ends the later."""
    found: defaultdict[Group, dict[Ends, Link]] = defaultdict(dict)
    for link in part.links:
        group = (link.kind, kind_of(link.source), kind_of(link.target))
        found[group][link.source, link.target] = link
    return found


def node_merges(
    kind: NodeKind, nodes: Iterable[Node], *, batch: int
) -> Iterator[tuple[str, list[Row]]]:
    """Statements that add or renew nodes of one kind, with their rows."""
    for rows in _batches(map(node_row, nodes), batch):
        columns = assignments("n", node_columns(kind), rows)
        yield said("merge_nodes", LABEL=str(kind), ASSIGNMENTS=columns), _sent(rows)


def link_merges(
    group: Group, links: Iterable[Link], *, batch: int
) -> Iterator[tuple[str, list[Row]]]:
    """Statements that add or renew links of one group, with their rows."""
    for rows in _batches(map(link_row, links), batch):
        columns = assignments("e", link_columns(group[0]), rows)
        yield said("merge_links", **names(group), ASSIGNMENTS=columns), _sent(rows)


def merges(part: Subgraph, *, batch: int) -> Iterator[tuple[str, list[Row]]]:
    """Statements that add or renew a whole part, nodes first."""
    nodes = (node_merges(k, n.values(), batch=batch) for k, n in nodes_by_kind(part).items())
    links = (link_merges(g, k.values(), batch=batch) for g, k in links_by_group(part).items())
    return chain(chain.from_iterable(nodes), chain.from_iterable(links))


def _sent(rows: list[Row]) -> list[Row]:
    """The rows without what none of them has, which no statement asks them for."""
    told = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    return rows if len(told) == len(rows[0]) else [{n: row[n] for n in told} for row in rows]


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
