"""Orders: what opsmith tells the launcher, and what the launcher tells back.

The launcher is a process of its own that starts for each run, so what it imports is counted in
milliseconds: no dataclass, no json, no typing, here nor in what it imports besides.
"""

from __future__ import annotations

import marshal
import os


class Order:
    """One run, for the launcher. Sizes in bytes; uid and gid: who the program runs as.

    argv, environment: encoded, since the launcher has no locale.
    """

    argv: list[bytes]
    environment: dict[bytes, bytes]
    files: dict[str, bytes]
    mounts: list[tuple[str, bool]]
    memory_bytes: int
    tasks: int
    cpu_weight: int
    wall_s: float
    tmp_bytes: int
    file_bytes: int
    uid: int
    gid: int

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)

    def packed(self) -> bytes:
        """As bytes for `Order.read`, which the same interpreter does."""
        return marshal.dumps(self.__dict__)

    @classmethod
    def read(cls, handle: int) -> Order:
        """The order in an open file, from its start."""
        with os.fdopen(handle, "rb") as opened:
            opened.seek(0)
            return cls(**marshal.loads(opened.read()))  # noqa: S302 - our own parent wrote it


class Told:
    """What came of it. ending: a value of `Ending`, or `unconfined` or `unstartable` with why."""

    ending: str = "unconfined"
    code: int = 0
    why: str = ""
    held: list[str]
    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_peak_bytes: int = 0
    forks_refused: int = 0

    def __init__(self, **fields: object) -> None:
        self.held = []
        self.__dict__.update(fields)

    def packed(self) -> bytes:
        """As bytes for `Told.unpacked`."""
        return marshal.dumps(self.__dict__)

    @classmethod
    def unpacked(cls, content: bytes) -> Told:
        """What the launcher said; a launcher that died says nothing."""
        if not content:
            return cls(why="the launcher ended without a word")
        return cls(**marshal.loads(content))  # noqa: S302 - the launcher is ours


class Unconfined(Exception):
    """A program cannot be confined on this host; says what is missing."""
