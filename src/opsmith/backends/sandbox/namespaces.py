"""The sandbox of this host: a launcher process for each run, its output read to the end."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from opsmith.backends.sandbox.orders import Order, Told
from opsmith.errors import BadInput, NotBegun, Unreachable
from opsmith.seams.sandbox import Ending, Program, Ran, Usage

_PACKAGES = Path(__file__).parents[3]
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from opsmith.backends.sandbox import launch;"
    " launch.main(*map(int, sys.argv[2:]))"
)
_CHUNK_BYTES = 65_536
# The overflow user of the kernel, who owns nothing (Documentation/admin-guide/sysctl/kernel.rst).
NOBODY = 65_534
# Beyond the program's own time: for the launcher to start, to kill and to clear away.
_GRACE_S = 30.0


class KernelSandbox:
    """Confines by namespaces, control groups, seccomp and Landlock (`docs/how-to/sandbox.md`)."""

    async def run(self, program: Program) -> Ran:
        """Run it; `Unreachable` says what this host lacks."""
        order = _order(program)
        handle = os.memfd_create("order", os.MFD_CLOEXEC)
        os.write(handle, order.packed())
        watched, alive = os.pipe()
        heard, report = os.pipe()
        launcher = await _launched(handle, watched, report)
        for one in (handle, watched, report):
            os.close(one)
        line = _Line(alive)
        try:
            tail = await _attended(launcher, program, line)
        finally:
            line.hang_up()
            await asyncio.shield(_buried(launcher))
            with os.fdopen(heard, "rb") as opened:
                told = Told.unpacked(opened.read())
        return _ran(told, tail, program)


@dataclass(slots=True)
class _Tail:
    """The end of an output."""

    most: int
    total: int = 0
    kept: int = 0
    parts: deque[bytes] = field(default_factory=deque)

    def add(self, part: bytes) -> None:
        self.parts.append(part)
        self.total += len(part)
        self.kept += len(part)
        while self.kept - len(self.parts[0]) >= self.most:
            self.kept -= len(self.parts.popleft())

    def text(self) -> str:
        return b"".join(self.parts)[-self.most :].decode("utf-8", errors="replace")


class _Line:
    """The pipe that tells the launcher that somebody still waits."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def hang_up(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


async def _launched(order: int, alive: int, report: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", "-c", _START, str(_PACKAGES)),
        *map(str, (order, alive, report)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=(order, alive, report),
        env={},
        cwd="/",
        start_new_session=True,
    )


async def _attended(launcher: asyncio.subprocess.Process, program: Program, line: _Line) -> _Tail:
    """Feed and read the program until nobody holds its output any more."""
    feeding = asyncio.create_task(_feed(launcher, program.stdin))
    tail = _Tail(most=program.limits.log_bytes)
    try:
        async with asyncio.timeout(program.limits.wall_s + _GRACE_S):
            while part := await _read(launcher):
                tail.add(part)
                if tail.total > program.limits.flood_bytes:
                    line.hang_up()
            await launcher.wait()
    except TimeoutError as error:
        raise Unreachable("The sandbox's launcher does not end.") from error
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    return tail


async def _read(launcher: asyncio.subprocess.Process) -> bytes:
    return await launcher.stdout.read(_CHUNK_BYTES) if launcher.stdout else b""


async def _feed(launcher: asyncio.subprocess.Process, content: bytes) -> None:
    """A program need not read what it is given."""
    if launcher.stdin is None:
        return
    try:
        launcher.stdin.write(content)
        await launcher.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        launcher.stdin.close()


async def _buried(launcher: asyncio.subprocess.Process) -> None:
    """The launcher ends by itself once the line is dead; it is not left behind in any case."""
    try:
        async with asyncio.timeout(_GRACE_S):
            while await _read(launcher):
                pass
            await launcher.wait()
    except TimeoutError:
        launcher.kill()
        await launcher.wait()


def _order(program: Program) -> Order:
    limits = program.limits
    uid, gid = _who(program.user)
    return Order(
        argv=[os.fsencode(word) for word in program.argv],
        environment={
            os.fsencode(name): os.fsencode(value) for name, value in program.environment.items()
        },
        files=dict(program.files),
        mounts=[(str(one.path), one.writable) for one in program.mounts],
        memory_bytes=limits.memory_bytes,
        tasks=limits.tasks,
        cpu_weight=limits.cpu_weight,
        wall_s=limits.wall_s,
        tmp_bytes=limits.tmp_bytes,
        file_bytes=limits.file_bytes,
        uid=uid,
        gid=gid,
    )


def _who(user: str) -> tuple[int, int]:
    """Who the program runs as; only root can make it somebody else, and never root itself."""
    own = (os.geteuid(), os.getegid())
    if not user:
        return (NOBODY, NOBODY) if own[0] == 0 else own
    try:
        found = pwd.getpwnam(user)
    except KeyError as error:
        raise BadInput(f"There is no user {user[:60]!r} on this machine.") from error
    if found.pw_uid == 0:
        raise BadInput("No program is run as root.")
    if own[0] not in {0, found.pw_uid}:
        raise BadInput(f"Only root can run a program as {user}.")
    return found.pw_uid, found.pw_gid


def _ran(told: Told, tail: _Tail, program: Program) -> Ran:
    ending = told.ending
    if ending == "unstartable":
        raise BadInput(f"{program.name} cannot be started: {told.why}.")
    if ending == "abandoned":
        ending = Ending.FLOODED
    if ending == "unconfined":
        raise NotBegun(
            f"{program.name} was not run, for it cannot be confined: {told.why}.",
            hint="`opsmith doctor` says what this host offers.",
        )
    return Ran(
        ending=Ending(ending),
        code=told.code,
        output=tail.text(),
        output_bytes=tail.total,
        usage=Usage(
            wall_s=told.wall_s,
            cpu_s=told.cpu_s,
            memory_peak_bytes=told.memory_peak_bytes,
            forks_refused=told.forks_refused,
        ),
        held=tuple(told.held),
    )
