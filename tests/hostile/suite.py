"""The hostile suite: programs that a sandbox must hold, and what is looked at afterwards.

Only the standard library, for it also runs in a virtual machine that has nothing else.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

from opsmith.seams.sandbox import MEBIBYTE, Ending, Limits, Mount, Program, Ran, Sandbox
from opsmith.testing.sandbox import PYTHON, living

PROGRAMS = Path(__file__).with_name("programs")
# Attacks that bite where nothing holds them: proof that a bait is a bait.
BITING = ("tcp", "udp", "unix_sockets", "symlinks", "dot_dot", "secrets")
_WATCHED = (
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/fs/file-max",
    "/proc/self/cgroup",
    "/proc/self/oom_score_adj",
    "/proc/self/limits",
)
_MOUNTED = {"/", "/usr", "/tmp", "/proc", "/dev"}  # noqa: S108
_SHORT = Limits(wall_s=1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One hostile program and how its run must end.

    code: None for whatever it says. refused: whether it must have met the limit of tasks.
    """

    name: str
    ending: Ending = Ending.EXITED
    limits: Limits = field(default_factory=Limits)
    code: int | None = 0
    refused: bool = False


SUITE: tuple[Hostile, ...] = (
    Hostile(
        name="fork_bomb", limits=Limits(memory_bytes=1024 * MEBIBYTE), code=None, refused=True
    ),
    Hostile(name="thread_bomb", refused=True),
    Hostile(name="memory_bomb", ending=Ending.OUT_OF_MEMORY, code=None),
    Hostile(name="tmp_memory_bomb", ending=Ending.OUT_OF_MEMORY, code=None),
    Hostile(name="daemon"),
    Hostile(name="loud_daemon"),
    Hostile(name="write_proc"),
    Hostile(name="write_cgroup"),
    Hostile(name="ptrace"),
    Hostile(name="look_into_others"),
    Hostile(name="mounts"),
    Hostile(name="tcp"),
    Hostile(name="udp"),
    Hostile(name="unix_sockets"),
    Hostile(name="netlink"),
    Hostile(name="raw_sockets"),
    Hostile(name="symlinks"),
    Hostile(name="dot_dot"),
    Hostile(name="signals"),
    Hostile(name="disk_fill"),
    Hostile(name="inode_fill"),
    Hostile(name="output_flood", ending=Ending.FLOODED, code=None),
    Hostile(name="become_root"),
    Hostile(name="keys"),
    Hostile(name="nested_namespaces"),
    Hostile(name="kernel_modules"),
    Hostile(name="change_root"),
    Hostile(name="stubborn", ending=Ending.TIMED_OUT, limits=_SHORT, code=None),
    Hostile(name="busy", ending=Ending.TIMED_OUT, limits=_SHORT, code=None),
    Hostile(name="stopped", ending=Ending.TIMED_OUT, limits=_SHORT, code=None),
    Hostile(name="deaf_to_the_end", ending=Ending.TIMED_OUT, limits=_SHORT, code=None),
    Hostile(name="handle_exhaustion"),
    Hostile(name="inherited_handles"),
    Hostile(name="core_dump", ending=Ending.SIGNALLED, code=6),
    Hostile(name="secrets"),
    Hostile(name="devices"),
    Hostile(name="odd_calls"),
    Hostile(name="the_machine"),
    Hostile(name="raise_limits"),
    Hostile(name="change_programs"),
    Hostile(name="shared_memory"),
    Hostile(name="other_architecture", ending=Ending.SIGNALLED, code=31),
    Hostile(name="terminal"),
    Hostile(name="own_mount"),
    Hostile(name="file_size"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bait:
    """What lies outside for the taking. values: where, for the program; touched: what was."""

    values: Mapping[str, str]
    touched: Callable[[], Sequence[str]]


@asynccontextmanager
async def bait(folder: Path) -> AsyncIterator[Bait]:
    """A process, a file, a writable folder and listening sockets of the host. folder: empty."""
    secret, shared = folder / "secret", folder / "shared"
    secret.write_text("untouched")
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)
    (shared / "way-out").symlink_to(secret)
    token = uuid4().hex
    victim = await asyncio.create_subprocess_exec("/bin/sleep", "600")
    listeners = _listeners(folder, token)
    try:
        yield Bait(
            values={
                "victim": str(victim.pid),
                "file": str(secret),
                "folder": str(shared),
                "tcp": str(listeners[0].getsockname()[1]),
                "udp": str(listeners[1].getsockname()[1]),
                "unix": str(folder / "socket"),
                "abstract": token,
                "token": token,
            },
            touched=lambda: _touched(secret, victim, listeners),
        )
    finally:
        if victim.returncode is None:
            victim.kill()
        await victim.wait()
        for one in listeners:
            one.close()


async def check_held(
    sandbox: Sandbox, hostile: Hostile, folder: Path, *, patience: float = 1.0
) -> Ran:
    """The program got nowhere, nothing of it is left, and this host is as it was.

    patience: how many times longer everything may take here.
    """
    async with bait(folder) as lying:
        before = host()

        ran = await sandbox.run(attack(hostile, lying, patience))

        assert "ESCAPED" not in ran.output, ran.output
        assert "tried" in ran.output or ran.ending is Ending.FLOODED, ran
        assert ran.ending is hostile.ending, ran
        assert hostile.code in (None, ran.code), ran
        assert bool(ran.usage.forks_refused) == hostile.refused, ran
        assert len(ran.output.encode()) <= 2 * hostile.limits.log_bytes
        assert living(lying.values["token"]) == []
        assert lying.touched() == []
        assert host() == before
        return ran


def attack(hostile: Hostile, lying: Bait, patience: float) -> Program:
    """The hostile program, with the bait as its arguments."""
    return Program(
        name=f"hostile.{hostile.name}",
        argv=(PYTHON, "-I", "-S", "-B", "/script/hostile.py", hostile.name, *arguments(lying)),
        files={one.name: one.read_bytes() for one in PROGRAMS.glob("*.py*")},
        mounts=(Mount(path=Path(lying.values["folder"]), writable=True),),
        limits=replace(hostile.limits, wall_s=patience * hostile.limits.wall_s),
    )


def arguments(lying: Bait) -> tuple[str, ...]:
    """The bait as words."""
    return tuple(f"{name}={value}" for name, value in lying.values.items())


def host() -> Mapping[str, str]:
    """What of this host no program may change."""
    seen = {path: Path(path).read_text(encoding="ascii") for path in _WATCHED}
    shared = Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()[1:]
    seen["shared memory"] = str([line for line in shared if int(line.split()[0]) in range(1, 5)])
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    seen["mounts"] = str([line for line in mounts if line.split()[4] in _MOUNTED])
    seen["handles"] = str(resource.getrlimit(resource.RLIMIT_NOFILE))
    return seen


def _listeners(folder: Path, token: str) -> tuple[socket.socket, ...]:
    """One of each kind that a program might reach: TCP, UDP, by path, by abstract name."""
    made = (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    )
    places = (("127.0.0.1", 0), ("127.0.0.1", 0), str(folder / "socket"), f"\0{token}")
    for one, place in zip(made, places, strict=True):
        one.bind(place)
        one.settimeout(0)
        if one.type == socket.SOCK_STREAM:
            one.listen()
    return made


def _touched(
    secret: Path, victim: asyncio.subprocess.Process, listeners: Sequence[socket.socket]
) -> list[str]:
    touched = []
    if secret.read_text() != "untouched" or (secret.parent / "owned").exists():
        touched.append("the file")
    if victim.returncode is not None:
        touched.append("the process")
    for one in listeners:
        try:
            heard: object = one.accept() if one.type == socket.SOCK_STREAM else one.recv(1)
        except BlockingIOError:
            continue
        touched.append(f"a socket: {heard}")
    return touched
