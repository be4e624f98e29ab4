"""The sandbox of this host: a launcher process for each run, its output read to the end."""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import os
import pwd
import signal
import socket
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from opsmith.backends.sandbox.orders import Order, Told
from opsmith.backends.sandbox.starter import Starter
from opsmith.errors import BadInput, NotBegun, Unreachable
from opsmith.seams.sandbox import Ending, Program, Ran, Usage

_CHUNK_BYTES = 65_536
# The overflow user of the kernel, who owns nothing (Documentation/admin-guide/sysctl/kernel.rst).
NOBODY = 65_534
# Beyond the program's own time: for the launcher to start, to kill and to clear away.
_GRACE_S = 30.0
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_STARTER = Starter()
atexit.register(_STARTER.close)


class KernelSandbox:
    """Confines by namespaces, control groups, seccomp and Landlock (`docs/how-to/sandbox.md`)."""

    async def run(self, program: Program) -> Ran:
        """Run it; `NotBegun` says what this host lacks."""
        launcher = await _launched(_order(program), program.stdin)
        try:
            tail = await _attended(launcher, program)
        finally:
            launcher.hang_up()
            told = await asyncio.shield(_buried(launcher))
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


@dataclass(slots=True)
class _Launcher:
    """One launcher: what its program writes, what it reports, and the line that keeps it going.

    itself: a handle of the process, -1 before it is known.
    """

    output: asyncio.StreamReader
    report: asyncio.StreamReader
    line: socket.socket
    heard: bytes = b""
    itself: int = -1

    def hang_up(self) -> None:
        """Let it know that nobody waits any more: it kills, clears away and ends."""
        with suppress(OSError), self.line:  # one that was not even forked has said nothing
            _, handles, _, _ = socket.recv_fds(self.line, 1, 1, socket.MSG_DONTWAIT)
            self.itself = handles[0] if handles else -1

    def end(self) -> None:
        """Kill it, and with it all of its sandbox."""
        if self.itself >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.itself, signal.SIGKILL)

    async def listen(self) -> None:
        """To the end of its output and of its report, which is its own end."""
        while await self.output.read(_CHUNK_BYTES):
            pass
        self.heard += await self.report.read()


async def _launched(order: Order, stdin: bytes) -> _Launcher:
    """Have a launcher started for an order. Raises `Unreachable`."""
    given, told = _sealed("stdin", stdin), _sealed("order", order.packed())
    output, writes = os.pipe()
    heard, report = os.pipe()
    own, theirs = socket.socketpair()
    try:
        _STARTER.start((told, theirs.fileno(), report, given, writes))
    except Unreachable:
        for one in (output, heard):
            os.close(one)
        own.close()
        raise
    finally:
        theirs.close()
        for one in (given, told, writes, report):
            os.close(one)
    return _Launcher(output=await _reader(output), report=await _reader(heard), line=own)


def _sealed(name: str, content: bytes) -> int:
    """A file in memory that nobody can change any more, at its start."""
    handle = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(os.dup(handle), "wb") as opened:
        opened.write(content)
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, _SEALS)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


async def _reader(handle: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(handle, "rb", buffering=0)
    )
    return reader


async def _attended(launcher: _Launcher, program: Program) -> _Tail:
    """Read until nobody holds the output of the program any more, and the launcher has ended."""
    tail = _Tail(most=program.limits.log_bytes)
    try:
        async with asyncio.timeout(program.limits.wall_s + _GRACE_S):
            while part := await launcher.output.read(_CHUNK_BYTES):
                tail.add(part)
                if tail.total > program.limits.flood_bytes:
                    launcher.hang_up()
            await launcher.listen()
    except TimeoutError as error:
        raise Unreachable("The sandbox's launcher does not end.") from error
    return tail


async def _buried(launcher: _Launcher) -> Told:
    """What it reported. It ends soon once nobody waits; it is not left behind in any case."""
    try:
        async with asyncio.timeout(_GRACE_S):
            await launcher.listen()
    except TimeoutError:
        launcher.end()
        await launcher.listen()
    finally:
        if launcher.itself >= 0:
            os.close(launcher.itself)
    return Told.unpacked(launcher.heard)


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
