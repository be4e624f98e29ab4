"""Saving: a file is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from opsmith.errors import BadInput


def save(path: Path, text: str | bytes) -> None:
    """Write `text` (as UTF-8, or bytes as they are) to `path`, replacing it in one step.

    Raises `BadInput` when the folder is missing or may not be written to.
    """
    try:
        _replace(path, text.encode() if isinstance(text, str) else text)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror}.",
            hint="Name a file in a folder that exists and that you may write to.",
        ) from error


def _replace(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:60]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The mask for new files; the system tells it only to who sets it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
