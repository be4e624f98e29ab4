"""A real Valkey on a free loopback port, for tests."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opsmith.wiring.queue import valkey_program

PASSWORD = "a word for tests"


@contextmanager
def valkey_server(folder: Path, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Start one with a password; gives HOST:PORT and ends it."""
    port = port or _free_port()
    words = ["--port", str(port), "--bind", host, "--dir", str(folder), "--save", ""]
    server = subprocess.Popen(
        [str(valkey_program()), *words, "--requirepass", PASSWORD, "--appendonly", "yes"],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for(host, port)
        yield f"{host}:{port}"
    finally:
        server.terminate()
        server.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(host: str, port: int) -> None:
    for _ in range(500):
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("Valkey did not start")
