"""How the webhook bears load: `python bench/webhook.py [--seconds 60] [--rate 500]`.

Starts `opsmith up`, sends notifications of 50 alerts each at a steady rate of alerts, kills it
with SIGKILL half way, starts it again, and sends what was not answered once more, as
Alertmanager does. Prints one JSON object: the wait for an answer, what was lost, into how many
incidents a storm of 200 alerts fell, and how long it took from an alert to its cause.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from idle import free_port, until_ok

AT_ONCE = 50


def notification(first: int, count: int, *, service: str = "") -> dict[str, object]:
    """One group as Alertmanager sends it; alerts are numbered from `first`."""
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=first)
    return {
        "version": "4",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {
                    "alertname": f"Alert{number % 40}",
                    "service": service or f"svc-{number % 100}",
                    "severity": "warning",
                },
                "annotations": {"summary": "a sentence of the usual length for an alert"},
                "startsAt": start.isoformat(),
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": f"{number:016x}",
            }
            for number in range(first, first + count)
        ],
    }


class Server:
    """`opsmith up` on one port and folder, started again after a kill."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self.starts_s: list[float] = []
        self.start()

    def start(self) -> None:
        """Start and wait until it answers."""
        began = time.monotonic()
        words = ["up", "--listen", f"127.0.0.1:{self.port}", "--data-dir", str(self._folder)]
        self._process = subprocess.Popen([sys.executable, "-m", "opsmith", *words])
        until_ok(f"{self.base}/healthz")
        self.starts_s.append(round(time.monotonic() - began, 2))

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        self._process.kill()
        self._process.wait()


async def steady(server: Server, first: int, seconds: float, rate: float) -> list[float]:
    """Send at a steady rate and wait for each answer; a refused group is sent again."""
    waits: list[float] = []
    tasks: list[asyncio.Task[None]] = []
    async with httpx.AsyncClient(base_url=server.base, timeout=60) as client:

        async def send(number: int) -> None:
            while True:
                began = time.perf_counter()
                try:
                    body = notification(number, AT_ONCE)
                    answer = await client.post("/webhook/alertmanager", json=body)
                except httpx.TransportError:
                    await asyncio.sleep(0.5)
                    continue
                if answer.status_code == 200:
                    waits.append(time.perf_counter() - began)
                    return

        end = time.monotonic() + seconds
        due = time.monotonic()
        while time.monotonic() < end:
            tasks.append(asyncio.create_task(send(first)))
            first += AT_ONCE
            due += AT_ONCE / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*tasks)
    return waits


async def killed_in_between(server: Server, first: int) -> tuple[int, int]:
    """Groups answered before a kill, and how many of their alerts are gone after it."""
    answered: list[int] = []
    some = asyncio.Event()

    async def send(client: httpx.AsyncClient, number: int) -> None:
        body = notification(number, AT_ONCE)
        try:
            answer = await client.post("/webhook/alertmanager", json=body)
        except httpx.TransportError:
            return
        if answer.status_code == 200:
            answered.append(number)
        if len(answered) >= 10:
            some.set()

    async with httpx.AsyncClient(base_url=server.base, timeout=60) as client:
        tasks = [asyncio.create_task(send(client, first + n * AT_ONCE)) for n in range(40)]
        await some.wait()
        server.kill()
        await asyncio.gather(*tasks)
    await asyncio.to_thread(server.start)
    told = await asyncio.to_thread(httpx.get, f"{server.base}/v1/alerts", timeout=60)
    known = {alert["fingerprint"] for alert in told.json()}
    promised = {f"{n + k:016x}" for n in answered for k in range(AT_ONCE)}
    return len(promised), len(promised - known)


def to_cause(server: Server, tries: int) -> list[float]:
    """Seconds from sending an alert to the verdict of its incident on the ledger."""
    waits = []
    for number in range(tries):
        began = time.perf_counter()
        body = notification(10**9 + number, 1, service=f"lone-{number}")
        httpx.post(f"{server.base}/webhook/alertmanager", json=body)
        while True:
            newest = httpx.get(f"{server.base}/v1/incidents?limit=5").json()
            mine = [i for i in newest if any("lone" in a["entity"] for a in i["alerts"])]
            if any(f"lone-{number}" in json.dumps(i["alerts"]) and i["verdict"] for i in mine):
                break
            time.sleep(0.02)
        waits.append(time.perf_counter() - began)
    return waits


def milliseconds(waits: list[float]) -> dict[str, float]:
    """The usual points of a distribution."""
    points = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    return {name: round(1000 * float(np.percentile(waits, p)), 1) for name, p in points.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=500.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        server = Server(Path(name) / "storm")
        httpx.post(f"{server.base}/webhook/alertmanager", json=notification(0, 200, service="a"))
        storm = len(httpx.get(f"{server.base}/v1/incidents").json())
        waits = asyncio.run(steady(server, 1000, asked.seconds, asked.rate))
        promised, lost = asyncio.run(killed_in_between(server, 10**8))
        server.kill()
        calm = Server(Path(name) / "calm")
        told = {
            "alerts_sent": len(waits) * AT_ONCE,
            "wait_ms": milliseconds(waits),
            "promised_before_kill": promised,
            "lost": lost,
            "incidents_of_a_storm_of_200": storm,
            "start_to_ready_s": server.starts_s + calm.starts_s,
            "alert_to_cause_ms": milliseconds(to_cause(calm, 10)),
        }
        calm.kill()
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
