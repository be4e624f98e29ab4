"""A real PostgreSQL for tests: out of its wheel, with its write-ahead log synced as by default."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from opsmith_lab.servers import postgres_server

SECONDS_TO_START = 60.0


class Server:
    """One server over a folder; it can be killed, halted and started again on its port."""

    def __init__(self, folder: Path, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            self.port = int(held.getsockname()[1])
        self._folder = folder
        self._settings = {"shared_buffers": "16MB", **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://shop@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers; after a kill its children may yet hold the files."""
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    postgres_server(self._folder, self._settings | {"port": str(self.port)}),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            with suppress(psycopg.OperationalError), psycopg.connect(self.url()):
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL did not start")

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it; SIGQUIT leaves its files to the next start, as a crash does."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
            self._process = None

    def fresh(self, name: str) -> str:
        """The URL of a new, empty database."""
        with psycopg.connect(self.url(), autocommit=True) as line:
            line.execute(
                psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
            )
        return self.url(name)


@contextmanager
def postgres(folder: Path, **settings: str) -> Iterator[Server]:
    server = Server(folder, **settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
