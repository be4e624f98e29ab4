"""Reading JSON and CSV of strangers: plain or gzipped, with an error that names the file."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

from opsmith.errors import BadInput


def present(path: Path) -> Path | None:
    """The file itself or its gzipped form, or None."""
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if candidate.is_file():
            return candidate
    return None


def text_of(path: Path) -> str:
    """The whole text of a plain or gzipped file. Raises `BadInput` when it cannot be read."""
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}.") from error


def json_object(path: Path) -> dict[str, object]:
    """The JSON object in a file. Raises `BadInput` when it holds anything else."""
    try:
        value = json.loads(text_of(path))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}: not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadInput(f"{path}: a JSON object was expected, not {type(value).__name__}.")
    return value


def rows_of(value: object, path: Path, width: int) -> list[list[object]]:
    """A list of lists of at least `width` cells. Raises `BadInput` otherwise."""
    if not isinstance(value, list):
        raise BadInput(f"{path}: a list of alerts was expected.")
    for row in value:
        if not isinstance(row, list) or len(row) < width:
            raise BadInput(f"{path}: an alert of {width} cells was expected, not {row!r:.80}.")
    return value
