"""SQL out of files of its own: named statements, and numbered scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

_HERE = files("opsmith.backends.ledger")


def statements(file: str) -> Mapping[str, str]:
    """The statements of a file by the names that stand above them."""
    text = (_HERE / file).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def scripts(folder: str) -> Sequence[str]:
    """The numbered scripts of a folder; the first one has number 1."""
    found = [one for one in (_HERE / folder).iterdir() if one.name.endswith(".sql")]
    return [one.read_text("utf-8") for one in sorted(found, key=lambda one: one.name)]
