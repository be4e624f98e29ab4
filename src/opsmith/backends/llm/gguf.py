"""The head of a GGUF file: for which architecture it is, and whether a model or an adapter.

Source: docs/gguf.md of ggml. The pairs that matter stand before the vocabulary, which is long.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opsmith.errors import BadInput

MAGIC = b"GGUF"
_READ_BYTES = 65_536
_STRING = 8
# Bytes of a value by the number of its type.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a file says of itself. adapter: `lora` for such an adapter, empty for a model."""

    architecture: str
    adapter: str


def head_of(path: Path) -> Head:
    """Read the head. Raises `BadInput` for a file that cannot be read or is no GGUF."""
    try:
        with path.open("rb") as file:
            start = file.read(_READ_BYTES)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from error
    if not start.startswith(MAGIC):
        raise BadInput(f"{path}: is no GGUF file.", hint="llama.cpp reads models in GGUF.")
    told = dict(_strings(start))
    kind = told.get("general.type", "model")
    adapter = told.get("adapter.type", kind) if kind == "adapter" else ""
    return Head(architecture=told.get("general.architecture", ""), adapter=adapter)


def _strings(start: bytes) -> Iterator[tuple[str, str]]:
    """The pairs whose value is text, up to the first list or the end of what was read."""
    try:
        (count,) = struct.unpack_from("<Q", start, 16)
        place = 24
        for _ in range(count):
            key, place = _text(start, place)
            (kind,) = struct.unpack_from("<I", start, place)
            place += 4
            if kind == _STRING:
                value, place = _text(start, place)
                yield key, value
            elif kind in _SIZES:
                place += _SIZES[kind]
            else:
                return
    except struct.error:
        return


def _text(start: bytes, place: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", start, place)
    ends = place + 8 + length
    if ends > len(start):
        raise struct.error
    return start[place + 8 : ends].decode("utf-8", "replace"), ends
