"""The sandbox seam: a program of somebody else's, run so that it can do no harm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from opsmith.errors import BadInput

MEBIBYTE = 1024 * 1024
# The widest limits that an operator may set for one program; more is not a script any more.
MOST_MEMORY_BYTES = 4096 * MEBIBYTE
MOST_TASKS = 512
MOST_WALL_S = 3600.0
LEAST_MEMORY_BYTES = 16 * MEBIBYTE
# The sandbox's own first process, the program, and one child of it.
LEAST_TASKS = 3
# Linux: cgroup v2, cpu.weight.
LARGEST_WEIGHT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may take. Raises `BadInput` for a limit out of bounds.

    tasks: processes and threads, with the sandbox's own first process.
    cpu_weight: share of a busy processor; everything else on the machine has 100.
    tmp_bytes: size of its private /tmp, which counts as its memory.
    file_bytes: the longest file that it may write. log_bytes: how much of the end of its output
    is kept. flood_bytes: output after which it is killed.
    """

    memory_bytes: int = 128 * MEBIBYTE
    tasks: int = 32
    cpu_weight: int = 20
    wall_s: float = 30.0
    tmp_bytes: int = 64 * MEBIBYTE
    file_bytes: int = 64 * MEBIBYTE
    log_bytes: int = 64 * 1024
    flood_bytes: int = 64 * MEBIBYTE

    def __post_init__(self) -> None:
        bounds = {
            "memory_bytes": (LEAST_MEMORY_BYTES, MOST_MEMORY_BYTES),
            "tasks": (LEAST_TASKS, MOST_TASKS),
            "cpu_weight": (1, LARGEST_WEIGHT),
            "wall_s": (0.05, MOST_WALL_S),
            "tmp_bytes": (4096, MOST_MEMORY_BYTES),
            "file_bytes": (0, MOST_MEMORY_BYTES),
        }
        for name, (least, most) in bounds.items():
            if not least <= getattr(self, name) <= most:
                raise BadInput(f"{name} of a sandbox is {least} to {most}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file or folder of this machine that the program sees at the same path."""

    path: Path
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How often a program may run; beyond it a run is refused."""

    at_once: int = 4
    per_minute: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is run: argument by argument, never a line for a shell.

    name: what it is counted and logged under. files: put read-only into /script, by name, so that
    what runs is what was looked at. environment: all that it sees. user: who it runs as, where
    opsmith is root; empty for nobody.
    """

    name: str
    argv: tuple[str, ...]
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    limits: Limits = field(default_factory=Limits)
    quota: Quota = field(default_factory=Quota)
    user: str = ""

    def __post_init__(self) -> None:
        words = (*self.argv, *self.environment, *self.environment.values())
        if not self.argv or any("\0" in word for word in words):
            raise BadInput("A program has a path and arguments, without a NUL character.")
        for name in self.files:
            if not name or "/" in name or name in {".", ".."} or "\0" in name:
                raise BadInput(f"{name[:80]!r} is no name of a file.")


class Ending(StrEnum):
    """How a run ended. refused: its quota is used up, and it was not started."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    FLOODED = "flooded"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run took. memory_peak_bytes: 0 where the kernel does not say."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_peak_bytes: int = 0
    forks_refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a run.

    code: the exit code, or the number of the signal. output: the end of what it wrote to either
    output, undecodable bytes replaced. output_bytes: how much that was in all.
    held: the mechanisms that confined it. log: where the output is kept, empty when it is not.
    """

    ending: Ending
    code: int
    output: str = ""
    output_bytes: int = 0
    usage: Usage = field(default_factory=Usage)
    held: tuple[str, ...] = ()
    log: str = ""

    @property
    def well(self) -> bool:
        """Whether it ended by itself and said that it succeeded."""
        return self.ending is Ending.EXITED and self.code == 0


class Sandbox(Protocol):
    """Runs a program confined, and leaves nothing of it behind.

    When `run` returns, or is cancelled, no process of the program lives. A program is never run
    with less than was promised. Raises `BadInput` for a program that cannot be started,
    `NotBegun` when this host lacks what confining needs, with what exactly.
    """

    async def run(self, program: Program) -> Ran:
        """Run it to its end, its deadline or its limits."""
