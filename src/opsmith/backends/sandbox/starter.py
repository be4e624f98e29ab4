"""Starter: a small process that forks a launcher for each run, since to start Python takes longer.

It is started with the first run, before it knows anything of any order: its environment is empty,
it has one thread, and the one handle by which orders come. It ends when that is closed.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

from opsmith.errors import Unreachable

_PACKAGES = Path(__file__).parents[3]
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from opsmith.backends.sandbox import forking;"
    " forking.serve(int(sys.argv[2]))"
)


class Starter:
    """Has launchers started. One is enough for a process, whatever threads it has."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, handles: tuple[int, int, int, int, int]) -> None:
        """Have a launcher started with copies of these handles; see `forking.serve`.

        Raises `Unreachable` when that cannot be.
        """
        with self._lock:
            for _ in range(2):
                line = self._line or self._opened()
                try:
                    socket.send_fds(line, [b"o"], handles)
                except OSError:  # it was killed; another one takes its place
                    self._closed()
                else:
                    return
        raise Unreachable("The process that starts sandboxes does not stay.")

    def close(self) -> None:
        """Let it end. Launchers that are at work go on."""
        with self._lock:
            self._closed()

    def _opened(self) -> socket.socket:
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own words, never a shell
                (sys.executable, "-I", "-S", "-c", _START, str(_PACKAGES), str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={},
                cwd="/",
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
