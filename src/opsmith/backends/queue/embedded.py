"""The embedded server: a Valkey in the data folder, shared by every process that uses it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from opsmith.errors import Unreachable

SOCKET = "valkey.sock"
# Reading a log of some gigabytes back takes this long; a queue beyond that wants its own server.
START_WITHIN_S = 60.0
GUARD = Path(__file__).with_name("guard.py")
# No TCP port at all; what is acknowledged survives the process at once and the machine after a
# second.
WORDS = (
    *("--port", "0", "--unixsocket", SOCKET, "--unixsocketperm", "700", "--save", ""),
    *("--appendonly", "yes", "--appendfsync", "everysec"),
)


class EmbeddedServer:
    """A server in `folder`, reached by a socket there that only this user can open.

    Started by whoever comes first, used by all, ended when the last one leaves or dies. What was
    put is in its append-only file, so the next one finds it again.
    binary: where the server's program is; asked only when it has to be started.
    """

    def __init__(self, folder: Path, *, binary: Callable[[], Path]) -> None:
        self._folder = folder
        self._binary = binary
        self._lock: FileIO | None = None
        self._place = -1

    @property
    def path(self) -> str:
        """Where the socket is, short enough for the kernel however deep the folder lies."""
        return f"/proc/self/fd/{self._place}/{SOCKET}"

    def enter(self) -> None:
        """Use the server; starts it when it does not run.

        Raises `Unreachable` when the folder or the server is of no use.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self._place = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
            self._lock = (self._folder / "users.lock").open("ab", buffering=0)
            fcntl.flock(self._lock, fcntl.LOCK_SH)  # waits for one that is just being ended
        except OSError as error:
            self.leave()
            raise Unreachable(f"The queue's folder {self._folder} is of no use.") from error
        self.start()

    async def revive(self) -> None:
        """Start it again when it died."""
        await asyncio.to_thread(self.start)

    def start(self) -> None:
        """Start the server unless it answers; of several processes one does."""
        with (self._folder / "start.lock").open("ab") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if self._answers():
                return
            words = [sys.executable, "-I", str(GUARD), str(self._folder), str(self._binary())]
            # Its own session: Ctrl-C in a terminal is for us, who still have things to settle.
            guard = subprocess.Popen(  # noqa: S603 - our own words, never a shell
                [*words, *WORDS],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._wait_for(guard)

    async def leave_soon(self) -> None:
        """Leave, as the end of a queue asks for it."""
        self.leave()

    def leave(self) -> None:
        """Let go; the guard ends the server when nobody else uses it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._place >= 0:
            os.close(self._place)
            self._place = -1

    def _wait_for(self, guard: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_WITHIN_S
        while not self._answers():
            if time.monotonic() > until or guard.poll() is not None:
                raise Unreachable(
                    "The queue's server does not start.",
                    hint=f"See {self._folder / 'server.log'}.",
                )
            time.sleep(0.01)
        guard.returncode = 0  # it outlives us or not: it is no child to wait for

    def _answers(self) -> bool:
        """Whether the server is up and has read its log back."""
        with socket.socket(socket.AF_UNIX) as line, suppress(OSError):
            line.settimeout(2.0)
            line.connect(self.path)
            line.sendall(b"PING\r\n")
            return line.recv(64).startswith(b"+PONG")
        return False
