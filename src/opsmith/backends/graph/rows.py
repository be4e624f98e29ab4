"""Rows: nodes and links as the values of a statement's parameters, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from opsmith.errors import HouseError
from opsmith.nouns.graph import NUMBERS, PARTS, TEXTS, Link, LinkKind, Node, kind_of, timestamp

# What the embedded database puts into a node or link beside its properties.
_INNER = ("_ID", "_SRC", "_DST")
_LABEL = "_LABEL"
_MISSING = float("nan")

Row = dict[str, object]


def node_row(node: Node) -> Row:
    """A node with every property of its kind: empty text or None where it has none."""
    row: Row = {"id": node.id, "name": node.name, "seen": timestamp(node.seen)}
    row.update((name, node.texts.get(name, "")) for name in TEXTS.get(node.kind, ()))
    row.update((name, _known(node.numbers.get(name))) for name in NUMBERS.get(node.kind, ()))
    return row


def link_row(link: Link) -> Row:
    """A link with both ends and every property of its kind."""
    row: Row = {
        "source": link.source,
        "target": link.target,
        "seen": timestamp(link.seen),
        "origin": link.origin,
        "weight": _known(link.weight),
    }
    row.update((name, _known(link.parts.get(name))) for name in PARTS.get(link.kind, ()))
    return row


def node_of(row: Mapping[str, object]) -> Node:
    """The node that `node_row` told. Raises `HouseError` when it is none of ours."""
    name = str(row.get("id"))
    kind = kind_of(name)
    texts = {key: str(row[key]) for key in TEXTS.get(kind, ()) if row.get(key)}
    return Node(
        id=name,
        name=str(row.get("name") or ""),
        seen=_time(row.get("seen")),
        texts=texts,
        numbers=_numbers(row, NUMBERS.get(kind, ())),
    )


def link_of(kind: str, here: str, there: str, row: Mapping[str, object]) -> Link:
    """The link between two nodes, in the direction that its row tells."""
    known = LinkKind(kind)
    backwards = row.get("source", here) == there and here != there
    weight = _float(row.get("weight"))
    return Link(
        kind=known,
        source=there if backwards else here,
        target=here if backwards else there,
        seen=_time(row.get("seen")),
        weight=weight if math.isfinite(weight) else 1.0,
        origin=str(row.get("origin") or ""),
        parts=_numbers(row, PARTS.get(known, ())),
    )


def plain(value: object) -> object:
    """A value of a query's answer as JSON can tell it; nodes and links as their properties."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        told = {str(k): plain(v) for k, v in value.items() if k not in _INNER and k != _LABEL}
        if _LABEL in value:
            return {"_label": value[_LABEL], **{k: v for k, v in told.items() if v is not None}}
        return told
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return str(value)


def _numbers(row: Mapping[str, object], names: tuple[str, ...]) -> dict[str, float]:
    if not names:
        return {}
    found = {name: _float(row.get(name)) for name in names}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _known(value: float | None) -> float | None:
    """A number that both dialects can keep, None for any other: NaN breaks a MERGE."""
    return float(value) if value is not None and math.isfinite(value) else None


def _float(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else _MISSING


def _time(value: object) -> datetime:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError as error:
        raise HouseError(f"The graph holds {str(value)[:40]!r} where a time belongs.") from error
