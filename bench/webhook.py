"""How the webhook bears load: `python bench/webhook.py [--seconds 60] [--rate 500]`.

Starts `opsmith up`, sends notifications of 50 alerts each at a steady rate of alerts, then kills
it with SIGKILL several times in the middle of others and starts it again. Prints one JSON object:
the wait for an answer, the CPU time of an alert, what of the answered was lost, whether all of it
came into incidents after the restart, into how many incidents a storm of 200 alerts fell, and how
long it took from an alert to its cause.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from idle import free_port, until_ok

AT_ONCE = 50
# After how many answers a kill comes: at once, among the first, in the middle.
KILLED_AFTER = (1, 4, 15)


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

    def cpu_s(self) -> float:
        """User and system time that it has used."""
        words = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def told(self, path: str) -> list[dict[str, Any]]:
        """What it says."""
        found: list[dict[str, Any]] = httpx.get(f"{self.base}{path}", timeout=60).json()
        return found

    def placed(self, alerts: int) -> int:
        """How many alerts are in incidents, once it is `alerts`, or after half a minute."""
        end = time.monotonic() + 30
        while True:
            found = sum(len(i["alerts"]) + i["more"] for i in self.told("/v1/incidents"))
            if found >= alerts or time.monotonic() > end:
                return found
            time.sleep(0.1)

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


async def killed_in_between(server: Server, first: int, after: int) -> tuple[int, int]:
    """Alerts answered before a kill that comes after so many answers; how many are gone."""
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
        if len(answered) >= after:
            some.set()

    async with httpx.AsyncClient(base_url=server.base, timeout=60) as client:
        tasks = [asyncio.create_task(send(client, first + n * AT_ONCE)) for n in range(40)]
        await some.wait()
        server.kill()
        await asyncio.gather(*tasks)
    await asyncio.to_thread(server.start)
    known = {alert["fingerprint"] for alert in await asyncio.to_thread(server.told, "/v1/alerts")}
    promised = {f"{n + k:016x}" for n in answered for k in range(AT_ONCE)}
    return len(promised), len(promised - known)


def to_cause(server: Server, tries: int) -> list[float]:
    """Seconds from sending an alert to the verdict of its incident, each a new incident."""
    waits = []
    for number in range(tries):
        began = time.perf_counter()
        body = notification(10**9 + number, 1, service=f"lone-{number}")
        httpx.post(f"{server.base}/webhook/alertmanager", json=body)
        while not (mine := [i for i in server.told("/v1/incidents?limit=1") if i["verdict"]]) or (
            f"lone-{number}" not in json.dumps(mine[0]["alerts"])
        ):
            time.sleep(0.02)
        waits.append(time.perf_counter() - began)
        blame = {"entity": "service:db", "kind": "disk.full"}
        httpx.post(f"{server.base}/v1/incidents/{mine[0]['id']}/confirm", json=blame)
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
        server.placed(200)
        storm = len(server.told("/v1/incidents"))
        used = server.cpu_s()
        waits = asyncio.run(steady(server, 1000, asked.seconds, asked.rate))
        used = server.cpu_s() - used
        kills = [
            asyncio.run(killed_in_between(server, 10**8 * (1 + kill), after))
            for kill, after in enumerate(KILLED_AFTER)
        ]
        firing = len(server.told("/v1/alerts"))
        placed = server.placed(firing)
        server.kill()
        calm = Server(Path(name) / "calm")
        told = {
            "alerts_sent": len(waits) * AT_ONCE,
            "wait_ms": milliseconds(waits),
            "cpu_ms_an_alert": round(1000 * used / (len(waits) * AT_ONCE), 3),
            "promised_before_kills": sum(promised for promised, _ in kills),
            "lost": sum(lost for _, lost in kills),
            "firing_and_in_no_incident": firing - placed,
            "incidents_of_a_storm_of_200": storm,
            "start_to_ready_s": server.starts_s + calm.starts_s,
            "alert_to_cause_ms": milliseconds(to_cause(calm, 10)),
        }
        calm.kill()
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
