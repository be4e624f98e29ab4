"""A real Bolt server for tests: ArcadeDB out of its wheel, in the dialect of Neo4j 5."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PASSWORD = "for-tests-only"
SECONDS_TO_START = 60.0


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def command(folder: Path, bolt: int, http: int) -> list[str]:
    found = find_spec("arcadedb_embedded")
    assert found is not None, "the tests need arcadedb-embedded"
    assert found.origin is not None
    home = Path(found.origin).parent
    settings = {
        "server.rootPath": str(folder),
        "server.rootPassword": PASSWORD,
        "server.defaultDatabases": "neo4j[root]",
        "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
        "bolt.host": "127.0.0.1",
        "bolt.port": str(bolt),
        "server.httpIncomingHost": "127.0.0.1",
        "server.httpIncomingPort": str(http),
    }
    return [
        str(home / "jre" / "bin" / "java"),
        "-Xmx768m",
        "--add-modules",
        "jdk.incubator.vector",
        "-cp",
        f"{home}/jars/*",
        *(f"-Darcadedb.{name}={value}" for name, value in settings.items()),
        "com.arcadedb.server.ArcadeDBServer",
    ]


@contextmanager
def bolt_server(folder: Path) -> Iterator[str]:
    """The URL of a server that keeps its data in `folder`, stopped at the end."""
    bolt, http = free_ports(2)
    with (folder / "bolt.log").open("w") as log:
        server = subprocess.Popen(
            command(folder, bolt, http), cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_for(bolt, server, folder / "bolt.log")
            yield f"bolt://root@127.0.0.1:{bolt}/neo4j"
        finally:
            server.terminate()
            server.wait(timeout=30)


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"the Bolt server did not start:\n{log.read_text()[-2000:]}")
