"""State in files: one a name, compressed, sealed with a checksum, replaced atomically."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
import zlib
from pathlib import Path

from opsmith.errors import BadInput, HouseError, Unreachable
from opsmith.seams.state import NAME

MAGIC = b"opsmith-state 1\n"
SEAL = 32  # bytes of SHA-256
ENDING = ".state"


class FileStates:
    """Keeps every promise of `seams.state.StateStore` in a folder, which is made when needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def save(self, name: str, blob: bytes) -> None:
        """Write beside, flush to the disk, then rename over what was there."""
        await asyncio.to_thread(self._save, self._path(name), blob)

    async def load(self, name: str) -> bytes | None:
        """Read and check the seal."""
        return await asyncio.to_thread(_load, self._path(name))

    async def names(self) -> tuple[str, ...]:
        """The names of the files."""
        found = await asyncio.to_thread(lambda: sorted(self._folder.glob(f"*{ENDING}")))
        return tuple(path.name.removesuffix(ENDING) for path in found)

    async def remove(self, name: str) -> None:
        """Unlink the file."""
        await asyncio.to_thread(self._path(name).unlink, missing_ok=True)

    def _path(self, name: str) -> Path:
        if not re.fullmatch(NAME, name):
            raise BadInput(f"{name!r} cannot name a state.", hint="Use a-z, 0-9, dot, dash.")
        return self._folder / f"{name}{ENDING}"

    def _save(self, path: Path, blob: bytes) -> None:
        packed = zlib.compress(blob, 1)  # counts are mostly zeros: the quickest level will do
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _replace(path, MAGIC + hashlib.sha256(packed).digest() + packed)
        except OSError as error:
            raise Unreachable(f"The state folder {self._folder} cannot be written.") from error


def _replace(path: Path, content: bytes) -> None:
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            Path(beside).unlink()
        raise


def _load(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreachable(f"The state file {path} cannot be read.") from error
    packed = content[len(MAGIC) + SEAL :]
    seal = content[len(MAGIC) : len(MAGIC) + SEAL]
    if not content.startswith(MAGIC) or hashlib.sha256(packed).digest() != seal:
        raise HouseError(f"{path} is damaged.", hint="Remove it to start fresh.")
    return zlib.decompress(packed)
