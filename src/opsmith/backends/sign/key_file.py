"""Key files: a private key that only its owner reads, made once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from opsmith.errors import Unreachable

_OTHERS = 0o077


def private_key(path: Path, make: Callable[[], bytes]) -> bytes:
    """The key in `path`, made there if there is none.

    Raises `Unreachable` when it cannot be read or written, or when others may read it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _write_once(path, make())
        if path.stat().st_mode & _OTHERS:
            raise Unreachable(
                f"The key {path.name!r} can be read by others.",
                hint=f"Say `chmod 600 {path}`, or make a new one.",
            )
        return path.read_bytes()
    except OSError as error:
        raise Unreachable(f"The key {path.name!r} cannot be used: {error.strerror}.") from error


def _write_once(path: Path, key: bytes) -> None:
    """Whole or not at all; of two processes that make one at once, one key stays."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o600)
    with os.fdopen(handle, "wb") as opened:
        opened.write(key)
        opened.flush()
        os.fsync(handle)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
