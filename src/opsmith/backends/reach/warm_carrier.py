"""Warm carriers: a process that has loaded what a way needs, and forks a carrier for each verb.

To start Python and load a client takes longer than most verbs. The process that waits knows no
order, has an empty environment and no connection; what is forked from it lives for one verb.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from opsmith.backends.reach.carrier_process import Told, answered, within
from opsmith.backends.reach.doors import readable
from opsmith.errors import Unreachable

_BLOCK = 65_536
# What a person or an undo reads of an answer is far below this.
LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
# The carrier's end of the talk, and its door.
_HANDLES = 2


class WarmCarrier:
    """Has orders done by carriers. command: starts the process, which calls `fork_for_each`."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def ask(
        self, order: Mapping[str, object], *, deadline_s: float | None, door: int
    ) -> Told:
        """What a carrier answers to an order. Raises as `carrier_process.carry` does."""
        within_s = within(deadline_s)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._start((theirs.fileno(), door))
            ours.settimeout(0)
            try:
                async with asyncio.timeout(within_s):
                    return answered(await _talk(ours, json.dumps(order).encode()))
            except TimeoutError as error:
                raise Unreachable(f"The carrier did not end within {within_s:g} s.") from error
            except OSError as error:
                raise Unreachable(f"The carrier was lost: {error.strerror}.") from error

    def close(self) -> None:
        """Let the process end, and with it whatever it forked."""
        with self._lock:
            self._closed()

    def _start(self, handles: tuple[int, int]) -> None:
        with self._lock:
            for _ in range(2):
                line = self._line or self._opened()
                try:
                    socket.send_fds(line, [b"o"], handles)
                except OSError:  # it was killed; another one takes its place
                    self._closed()
                else:
                    return
        raise Unreachable("The process that starts carriers does not stay.")

    def _opened(self) -> socket.socket:
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # It is where opsmith is, for a path in settings may be relative.
            self._process = subprocess.Popen(  # noqa: S603 - our own words, never a shell
                (*self._command, str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={},
                start_new_session=True,
            )
        self._line = own
        return own

    def _closed(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            self._process.wait()
            self._process = None


async def _talk(ours: socket.socket, order: bytes) -> bytes:
    """What is said to an order; whoever said it is dead when this ends, however it ends."""
    await readable(ours)
    _, handles, _, _ = socket.recv_fds(ours, 1, 1)
    if not handles:
        return b""
    try:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(ours, order)
        ours.shutdown(socket.SHUT_WR)
        said = bytearray()
        while part := await loop.sock_recv(ours, _BLOCK):
            said += part
            if len(said) > LARGEST_ANSWER_BYTES:
                return b""
        return bytes(said)
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handles[0], signal.SIGKILL)
        os.close(handles[0])


def fork_for_each(handle: int, act: Callable[[bytes, int], bytes]) -> None:
    """Fork a carrier for each message; end when nobody can send one any more.

    act: what the carrier does with an order and the handle of its door; gives the answer.
    """
    line = socket.socket(fileno=handle)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel then buries carriers by itself
    while True:
        message, handles, _, _ = socket.recv_fds(line, 1, _HANDLES)
        if not message:
            os._exit(0)
        if len(handles) == _HANDLES and not os.fork():
            line.close()
            _live(handles[0], handles[1], act)
        for one in handles:
            os.close(one)


def _live(talk: int, door: int, act: Callable[[bytes, int], bytes]) -> None:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with socket.socket(fileno=talk) as line:
            # By this handle opsmith can end a carrier that hangs, and no other process.
            itself = os.pidfd_open(os.getpid())
            socket.send_fds(line, [b"c"], [itself])
            os.close(itself)
            order = bytearray()
            while part := line.recv(_BLOCK):
                order += part
            line.sendall(act(bytes(order), door))
    finally:
        os._exit(1)
