"""The guard of an embedded server: a process that ends it when nobody uses its folder any more.

Run by its path with the folder and the server's words. Every user of the folder holds a shared
lock on `users.lock`, which the kernel lets go of however a process ends; the guard waits for an
exclusive one. The server in turn is ended by the kernel when its guard is.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def main(folder: Path, words: list[str]) -> int:
    """Start the server, wait until it is alone, end it; without a server there is no guard."""
    signal.signal(signal.SIGCHLD, lambda *_: os._exit(1))
    with (folder / "users.lock").open("ab") as users, (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(  # noqa: S603 - our own words, never a shell
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with_guard,  # noqa: PLW1509 - there is one thread here
        )
        fcntl.flock(users, fcntl.LOCK_EX)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        server.terminate()
        return server.wait()


def _die_with_guard() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
