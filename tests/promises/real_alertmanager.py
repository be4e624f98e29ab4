"""A real Alertmanager on a free loopback port."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from opsmith_lab.components import find

from opsmith.backends.wire.http import HttpWire
from opsmith.seams.wire import Access
from promises.real_prometheus import PATIENCE_S, free_port, until_ready


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[HttpWire]:
    port = free_port()
    (folder / "am.yml").write_text("{route: {receiver: none}, receivers: [{name: none}]}")
    words = [
        f"--config.file={folder / 'am.yml'}",
        f"--storage.path={folder / 'am'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url=http://127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (folder / "am.log").open("wb") as log:
        server = subprocess.Popen([str(find("alertmanager")), *words], stdout=log, stderr=log)
    wire = HttpWire(Access(url=f"http://127.0.0.1:{port}"))
    try:
        await until_ready(port)
        yield wire
    finally:
        await wire.aclose()
        server.terminate()
        server.wait(timeout=PATIENCE_S)
