"""Bonds: the weighed links between an incident's signals, each in a sentence with its parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from opsmith.explain.words import clean, sentence
from opsmith.nouns.graph import Link, LinkKind, Node, Subgraph

# The heaviest of each sort; the graph keeps the others.
MOST_TRIGGERS = 5
MOST_TOGETHER = 3


def bonds(part: Subgraph) -> tuple[str, ...]:
    """The heaviest links, those that lead to an alert first.

    part: an incident as the graph keeps it; weights and parts as `nouns.graph.PARTS` names them.
    """
    nodes = {node.id: node for node in part.nodes}
    told = (
        *(_set_off(link, nodes) for link in _heaviest(part, LinkKind.TRIGGERS, MOST_TRIGGERS)),
        *(
            _together(link, nodes)
            for link in _heaviest(part, LinkKind.CORRELATES_WITH, MOST_TOGETHER)
        ),
    )
    return tuple(sentence(clean(one)) for one in told)


def _heaviest(part: Subgraph, kind: LinkKind, most: int) -> Iterator[Link]:
    found = [link for link in part.links if link.kind is kind]
    found.sort(key=lambda link: (-link.weight, link.key))
    yield from found[:most]


def _set_off(link: Link, nodes: Mapping[str, Node]) -> str:
    delay_s = link.parts.get("delay_s", math.nan)
    when = "no change before the alert"
    if link.parts.get("decay", 0.0) > 0:
        when = f"the alert began {max(delay_s, 0.0):.0f} s after the change"
    return (
        f"{_name(link.source, nodes)} may have set off {_name(link.target, nodes)}:"
        f" weight {link.weight:.2f}, of time {link.parts.get('decay', 0.0):.2f} ({when}),"
        f" of words in common {link.parts.get('overlap', 0.0):.2f}"
    )


def _together(link: Link, nodes: Mapping[str, Node]) -> str:
    parts = link.parts
    return (
        f"{_name(link.source, nodes)} and {_name(link.target, nodes)} act together:"
        f" weight {link.weight:.2f}, in {parts.get('together', 0.0):.0f} of"
        f" {parts.get('bins', 0.0):.0f} minutes, by themselves in {parts.get('first', 0.0):.0f}"
        f" and {parts.get('second', 0.0):.0f} (normalised mutual information"
        f" {parts.get('npmi', 0.0):.2f})"
    )


def _name(ident: str, nodes: Mapping[str, Node]) -> str:
    node = nodes.get(ident)
    if node is None:
        return ident
    owner = node.texts.get("entity", "")
    return f"{node.name} of {owner}" if owner else node.name
