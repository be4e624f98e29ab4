"""Killed with SIGKILL at each step of an alert's way: what was acknowledged is there again."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import orjson
import pytest

from tests.faces.test_bad_days import answers, until
from tests.faces.test_http import incidents, running, told

# The way of one alert in a process that ends itself at the step named: `before` or `after` a
# call of a part of the live house. It says "taken" where Alertmanager would read its 200.
VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
import orjson
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.flows.watch import Watch
from opsmith.settings import Settings
from opsmith.wiring.live import App
from opsmith.wiring.looks import Looks

folder, when, part, name, body = sys.argv[1:]
owner = {"ledger": SqliteLedger, "watch": Watch, "looks": Looks}[part]
real = getattr(owner, name)

async def last(self, *args, **kwargs):
    first = args[0] if args else ()
    kinds = {entry.kind for entry in first} if name == "append" else {"alert"}
    if not kinds & {"alert", "incident"} or (name == "append" and when.endswith("incident")
                                             and "incident" not in kinds):
        return await real(self, *args, **kwargs)
    if when.startswith("after"):
        await real(self, *args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, last)

async def main():
    async with App(Settings(data_dir=Path(folder)), version="0") as app:
        await app.receive(body.encode())
        print("taken", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""

# Where it dies, and whether the sender had its answer by then.
STEPS = {
    "before the alert is written": (("before", "ledger", "append"), False),
    "before it is placed": (("before", "watch", "take"), True),
    "before its incident is written": (("before incident", "ledger", "append"), True),
    "when its incident is written": (("after incident", "ledger", "append"), True),
    "while it is looked into": (("before", "looks", "__call__"), True),
    "when its bundle and report are written": (("after", "looks", "__call__"), True),
}


@pytest.mark.slow
def test_killed_at_any_step_nothing_acknowledged_is_lost_and_its_incident_is_whole(
    tmp_path: Path,
) -> None:
    body = orjson.dumps(told()).decode()
    victims = {
        step: subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(tmp_path / str(number)), *where, body],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, (step, (where, _)) in enumerate(STEPS.items())
    }
    said = {
        step: (one.communicate(timeout=60)[0], one.returncode) for step, one in victims.items()
    }

    for number, (step, (_, acknowledged)) in enumerate(STEPS.items()):
        assert said[step][1] == -signal.SIGKILL, step
        assert ("taken" in said[step][0]) <= acknowledged, step
        if not acknowledged:
            continue
        with running(tmp_path / str(number)) as client:
            (incident,) = incidents(client)
            until(lambda client=client: incidents(client)[0]["verdict"] is not None)
            again = client.post("/webhook/alertmanager", json=told()).json()

        assert [alert["fingerprint"] for alert in incident["alerts"]] == ["of-cart"], step
        assert again == {"changed": 0}, step


@pytest.mark.slow
def test_a_killed_server_has_in_incidents_what_it_answered_for(tmp_path: Path) -> None:
    process, base = started(tmp_path)
    until(lambda: answers(f"{base}/healthz"))
    names = [f"svc-{number}" for number in range(10)]
    sent = [httpx.post(f"{base}/webhook/alertmanager", json=told(n), timeout=30) for n in names]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    answered = [
        f"of-{name}" for name, answer in zip(names, sent, strict=True) if answer.is_success
    ]

    with running(tmp_path) as client:
        found = incidents(client, alerts=len(answered))
        firing = {alert["fingerprint"] for alert in client.get("/v1/alerts").json()}

    assert len(answered) == 10
    assert firing == set(answered)
    assert {alert["fingerprint"] for one in found for alert in one["alerts"]} == set(answered)


def started(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """`opsmith up` on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["up", "--listen", f"127.0.0.1:{port}", "--data-dir", str(folder)]
    return subprocess.Popen([sys.executable, "-m", "opsmith", *words]), f"http://127.0.0.1:{port}"
