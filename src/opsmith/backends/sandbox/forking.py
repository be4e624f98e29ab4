"""Forking: the process that starts launchers, each as a copy of itself.

It imports what a launcher needs, and waits. What it has when it forks is what a fresh interpreter
would have: no order, no environment, no thread, no handle but its line.
"""

from __future__ import annotations

import os
import socket

from opsmith.backends.sandbox import kernel, launch

_HANDLES = 5
# SIGCHLD: ignored, the kernel buries launchers by itself.
_CHILD_DIED = 17


def serve(handle: int) -> None:
    """Fork a launcher for each message; end when nobody can send one any more.

    A message brings five handles: the order, the line by which a launcher learns that opsmith is
    gone, where it reports, and the program's standard input and output.
    """
    line = socket.socket(fileno=handle)
    kernel.ignore_signal(_CHILD_DIED)
    while True:
        message, handles, _, _ = socket.recv_fds(line, 1, _HANDLES)
        if not message:
            os._exit(0)
        if len(handles) == _HANDLES and not os.fork():
            line.close()
            _launch(*handles)
        for one in handles:
            os.close(one)


def _launch(order: int, alive: int, report: int, given: int, output: int) -> None:
    try:
        kernel.default_signal(_CHILD_DIED)
        os.setsid()
        # By this handle opsmith can end a launcher that hangs, and no other process.
        with socket.socket(fileno=os.dup(alive)) as line:
            itself = os.pidfd_open(os.getpid())
            socket.send_fds(line, [b"l"], [itself])
            os.close(itself)
        for handle, stream in ((given, 0), (output, 1), (output, 2)):
            os.dup2(handle, stream)
        os.close(given)
        os.close(output)
        launch.main(order, alive, report)
    finally:
        os._exit(1)
