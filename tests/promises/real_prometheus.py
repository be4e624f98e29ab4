"""A real Prometheus on a free loopback port, filled with the recording of the promises."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from opsmith_lab.components import find

from opsmith.backends.metrics.prometheus import PrometheusMetrics
from opsmith.backends.wire.http import HttpWire
from opsmith.ingest.label_rules import describe
from opsmith.seams.metrics import Metrics
from opsmith.seams.wire import Access
from opsmith.testing.metrics import RECORDING

# Ready in 0.2 s on an idle machine.
PATIENCE_S = 30.0


@asynccontextmanager
async def real(folder: Path, recording: str = RECORDING) -> AsyncIterator[Metrics]:
    """Blocks made by promtool from the very text, served by Prometheus."""
    data = filled(folder, recording)
    port = free_port()
    server = started(folder, data, port)
    metrics = PrometheusMetrics(
        HttpWire(Access(url=f"http://127.0.0.1:{port}")), describe=describe
    )
    try:
        await until_ready(port)
        yield metrics
    finally:
        await metrics.aclose()
        server.terminate()
        server.wait(timeout=PATIENCE_S)


def filled(folder: Path, recording: str) -> Path:
    text, data = folder / "metrics.om", folder / "data"
    text.write_text(recording, encoding="utf-8")
    words = ["tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    subprocess.run([str(find("promtool")), *words], check=True, capture_output=True)
    return data


def started(folder: Path, data: Path, port: int, *more: str) -> subprocess.Popen[bytes]:
    (folder / "prometheus.yml").write_text("{}")
    words = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url=http://127.0.0.1:{port}",
        *more,
    ]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([str(find("prometheus")), *words], stdout=log, stderr=log)


async def until_ready(port: int, path: str = "/-/ready") -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(PATIENCE_S):
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{port}{path}")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def victoria(folder: Path) -> AsyncIterator[Metrics]:
    """A real VictoriaMetrics, given the recording by its import API."""
    port = free_port()
    words = [
        f"-storageDataPath={folder / 'vm'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        # Prometheus' own --query.lookback-delta; the default is twice the step.
        "-search.maxStalenessInterval=5m",
        "-search.latencyOffset=0s",
    ]
    with (folder / "vm.log").open("wb") as log:
        server = subprocess.Popen([str(find("victoria-metrics")), *words], stdout=log, stderr=log)
    metrics = PrometheusMetrics(
        HttpWire(Access(url=f"http://127.0.0.1:{port}")), describe=describe
    )
    try:
        await until_ready(port, "/health")
        await _import(port)
        yield metrics
    finally:
        await metrics.aclose()
        server.terminate()
        server.wait(timeout=PATIENCE_S)


async def _import(port: int) -> None:
    """Times in milliseconds, as its text import wants them."""
    lines = [line for line in RECORDING.splitlines() if not line.startswith("#")]
    text = "".join(f"{line}000\n" for line in lines)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        (await client.post("/api/v1/import/prometheus", content=text)).raise_for_status()
        (await client.get("/internal/force_flush")).raise_for_status()
