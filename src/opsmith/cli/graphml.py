"""GraphML: a part of the graph as XML that yEd, Gephi, Cytoscape and networkx read.

Source: Brandes et al. (2002), GraphML progress report; schema at graphml.graphdrawing.org.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from opsmith.nouns.graph import Link, Node, Subgraph, timestamp

# What XML 1.0 cannot hold at all, not even escaped.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAMESPACE = "http://graphml.graphdrawing.org/xmlns"

Told = Mapping[str, str | float]


def graphml(part: Subgraph) -> str:
    """The whole document. Numbers are of type double, everything else is text."""
    nodes = [(node.id, _node(node)) for node in part.nodes]
    links = [(link, _link(link)) for link in part.links]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<graphml xmlns="{_NAMESPACE}">',
        *_keys("node", [told for _, told in nodes]),
        *_keys("edge", [told for _, told in links]),
        '<graph id="opsmith" edgedefault="directed">',
        *(f"<node id={_attribute(name)}>{_data('node', told)}</node>" for name, told in nodes),
        *(
            f"<edge source={_attribute(link.source)} target={_attribute(link.target)}>"
            f"{_data('edge', told)}</edge>"
            for link, told in links
        ),
        "</graph>",
        "</graphml>",
    ]
    return "\n".join(lines)


def _node(node: Node) -> dict[str, str | float]:
    told = {"label": str(node.kind), "name": node.name, "seen": timestamp(node.seen)}
    return {**told, **node.texts, **node.numbers}


def _link(link: Link) -> dict[str, str | float]:
    told = {"label": str(link.kind), "origin": link.origin, "seen": timestamp(link.seen)}
    return {**told, "weight": link.weight, **link.parts}


def _keys(owner: str, told: list[dict[str, str | float]]) -> Iterator[str]:
    kinds = {name: type(value) for one in told for name, value in one.items()}
    for name, kind in kinds.items():
        form = "string" if kind is str else "double"
        yield (f'<key id="{owner}.{name}" for="{owner}" attr.name="{name}" attr.type="{form}"/>')


def _data(owner: str, told: Told) -> str:
    known = {
        name: value
        for name, value in told.items()
        if (value if isinstance(value, str) else math.isfinite(value))
    }
    return "".join(
        f'<data key="{owner}.{name}">{_fit(str(value))}</data>' for name, value in known.items()
    )


def _fit(text: str) -> str:
    return escape(_UNFIT.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_UNFIT.sub("\ufffd", text))
