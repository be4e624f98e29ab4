"""Statements: the graph's Cypher by name, and whether one that a person typed only reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from opsmith.errors import BadInput

# What is no statement of its own: strings, names in backticks, comments.
_ASIDE = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|//[^\n]*|/\*.*?\*/", re.DOTALL
)
# A name behind a dot or a colon is a property or a label, whatever it says.
_WORD = re.compile(r"(?<![.:\w])([A-Za-z_]\w*)")
# Everything in openCypher, Neo4j 5 and the embedded dialect that changes the graph, its schema or
# its settings, or that reaches for files and the network.
_CHANGING = re.compile(
    "create|merge|set|delete|detach|remove|drop|alter|copy|load|install|uninstall|update|export"
    "|import|attach|use|foreach|checkpoint|begin|commit|rollback|grant|revoke|deny|start|stop"
    "|terminate|enable|disable|rename|comment|insert|project_graph|call",
    re.IGNORECASE,
)
_LONGEST = 20_000


def statements() -> Mapping[str, str]:
    """The statements of `queries.cypher` by name, without their comments."""
    text = (files("opsmith.backends.graph") / "queries.cypher").read_text(encoding="utf-8")
    parts = re.split(r"^// name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: re.sub(r"^//.*\n", "", body, flags=re.MULTILINE).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


STATEMENTS = statements()


def said(name: str, **places: str) -> str:
    """A statement with words out of our own lists in its places."""
    statement = STATEMENTS[name]
    for place, word in places.items():
        statement = statement.replace(place, word)
    return statement


def only_reads(cypher: str) -> str:
    """The statement, when it changes nothing and reaches for nothing outside.

    A word list, not a parser: it errs on the side of refusing (quote a name in backticks to use
    such a word). It stands in front of what the store itself refuses.
    Raises `BadInput` when it might write.
    """
    if len(cypher) > _LONGEST:
        raise BadInput(f"A query has at most {_LONGEST} characters.")
    bare = _ASIDE.sub(" ", cypher)
    if any(mark in bare for mark in "'\"`") or "/*" in bare:
        raise BadInput("The query has a string, a name or a comment that does not end.")
    if ";" in bare.strip().rstrip(";"):
        raise BadInput("One statement at a time.")
    for word in _WORD.findall(bare):
        if _CHANGING.fullmatch(word):
            raise BadInput(
                f"{word.upper()} is not for `graph query`, which only reads.",
                hint="Put a name that is such a word in backticks.",
            )
    if not bare.strip():
        raise BadInput("The query is empty.")
    return cypher.strip().rstrip(";")
