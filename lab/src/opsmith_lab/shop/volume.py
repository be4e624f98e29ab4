"""volume: the bounded place on disk that a service writes its journal to.

The bound holds without root: past it a write goes to `/dev/full`, where the kernel itself
answers ENOSPC to write(2), as a full file system does.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

CHUNK_BYTES = 256 * 1024
# The journal starts afresh at this size, so that a healthy volume never runs full.
JOURNAL_BYTES = 2**20
FULL_DEVICE = Path("/dev/full")


class Volume:
    """A folder of at most `size_bytes`; its use is told in cAdvisor's names."""

    def __init__(self, folder: Path, size_bytes: int, registry: CollectorRegistry) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.size_bytes = size_bytes
        limit = Gauge("container_fs_limit_bytes", "Room in all.", registry=registry)
        usage = Gauge("container_fs_usage_bytes", "Room taken.", registry=registry)
        limit.set(size_bytes)
        usage.set_function(self.used_bytes)

    def used_bytes(self) -> int:
        """The size of all files."""
        return sum(entry.stat().st_size for entry in os.scandir(self.folder))

    def journal(self, line: str) -> None:
        """Append one line. Raises `OSError` (ENOSPC) when the volume is full."""
        path = self.folder / "journal"
        if path.exists() and path.stat().st_size > JOURNAL_BYTES:
            path.unlink()
        self._append(path, line.encode() + b"\n")

    def dump(self) -> None:
        """Write a further piece of rubbish, as much as there is room for."""
        room = self.size_bytes - self.used_bytes()
        if room > 0:
            self._append(self.folder / "debug.dump", bytes(min(room, CHUNK_BYTES)))

    def clear_dumps(self) -> None:
        """Remove the rubbish."""
        (self.folder / "debug.dump").unlink(missing_ok=True)

    def _append(self, path: Path, content: bytes) -> None:
        fits = self.used_bytes() + len(content) <= self.size_bytes
        with (path if fits else FULL_DEVICE).open("ab", buffering=0) as file:
            file.write(content)
