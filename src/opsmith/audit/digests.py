"""Digests of what an investigation was made from, and of what it gave."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK_BYTES = 1024 * 1024


def of_text(text: str) -> str:
    """SHA-256 of a text in UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def of_folder(folder: Path) -> str:
    """SHA-256 over every file below `folder`, by path, each with its name and its length in front.

    Raises `OSError` when one cannot be read.
    """
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder)).encode()
        whole.update(f"{len(name)} {path.stat().st_size} ".encode() + name)
        with path.open("rb") as opened:
            while block := opened.read(_BLOCK_BYTES):
                whole.update(block)
    return whole.hexdigest()
