"""The tables of the embedded graph, made from what the nouns say that nodes and links have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from opsmith.nouns.graph import NUMBERS, PAIRS, PARTS, TEXTS, LinkKind, NodeKind

# What every node and every link has, beside what its kind has.
NODE = ("id", "name", "seen")
# `source` repeats the id of a link's first end: walking links without regard to their direction
# costs half of walking each direction by itself, and this tells which it was.
LINK_TEXTS = ("source", "seen", "origin")
LINK_NUMBERS = ("weight",)


def node_columns(kind: NodeKind) -> tuple[str, ...]:
    """The properties of a kind of node in their order in the table."""
    return (*NODE, *TEXTS.get(kind, ()), *NUMBERS.get(kind, ()))


def link_columns(kind: LinkKind) -> tuple[str, ...]:
    """The properties of a kind of link in their order in the table."""
    return (*LINK_TEXTS, *LINK_NUMBERS, *PARTS.get(kind, ()))


def table_statements() -> Iterator[str]:
    """The statements that make every table that is not there yet, nodes first."""
    for kind in NodeKind:
        texts = "".join(f", {name} STRING" for name in ("name", "seen", *TEXTS.get(kind, ())))
        numbers = "".join(f", {name} DOUBLE" for name in NUMBERS.get(kind, ()))
        yield (f"CREATE NODE TABLE IF NOT EXISTS {kind}(id STRING PRIMARY KEY{texts}{numbers})")
    for link in LinkKind:
        pairs = ", ".join(f"FROM {source} TO {target}" for source, target in sorted(PAIRS[link]))
        texts = "".join(f", {name} STRING" for name in LINK_TEXTS)
        numbers = "".join(f", {name} DOUBLE" for name in (*LINK_NUMBERS, *PARTS.get(link, ())))
        yield f"CREATE REL TABLE IF NOT EXISTS {link}({pairs}{texts}{numbers})"


def assignments(
    variable: str, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> str:
    """`n.name = r.name, …` for a statement that takes `rows` as `r`.

    A property that no row has is set to NULL by name: among parameters NULL alone has no type.
    """
    return ", ".join(
        f"{variable}.{name} = r.{name}"
        if any(row[name] is not None for row in rows)
        else f"{variable}.{name} = NULL"
        for name in columns
        if name != "id"
    )


def walked_columns() -> tuple[str, ...]:
    """The properties that any kind of link may have."""
    parts = dict.fromkeys(name for names in PARTS.values() for name in names)
    return (*LINK_TEXTS, *LINK_NUMBERS, *parts)


def listed(variable: str, columns: Sequence[str]) -> str:
    """`n.id, n.name, …` for a statement that returns them."""
    return ", ".join(f"{variable}.{name}" for name in columns)
