"""The shop with opsmith watching: a fault leads to its cause with no hand on the keyboard."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.needs_prometheus]

# A busy machine is slow to start, to scrape and to look; nothing here is a measurement.
PATIENCE_S = 150.0
PEACE_S = 25.0


# A pool that is larger does not make room on a disk; the alerts go on, and that must be seen.
WRONG = """
version: 1
runbooks:
  - name: a larger pool for a full disk
    kinds: [disk.full]
    entities: ["service:*"]
    when: {confidence_above: 0.1}
    steps: [{action: config.set, target: "{cause}", values: {key: pool_size, value: "20"}}]
    checks: [{kind: alerts_quiet, within_s: 20, holds_s: 60}]
"""


def opsmith(*words: str, leaves_with: int = 0, **environment: str) -> str:
    command = [sys.executable, "-m", "opsmith", *words]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, **environment},
    )
    assert done.returncode == leaves_with, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "lab"
    load = ("--rps", "6", "--seed", "5", "--scrape", "2")
    opsmith("lab", "up", "--live", *load, "--data", str(folder))
    time.sleep(PEACE_S)
    yield folder
    opsmith("lab", "down", "--data", str(folder))
    assert not folder.exists()
    commands = [" ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if str(folder) in command]


def blamed(data: Path, wanted: str, path: list[str]) -> dict:
    """The incident that blames `wanted` by its whole path, or the last once patience has ended.

    The first look may come before what tells of the last step has arrived; a later one has it.
    """
    deadline = time.monotonic() + PATIENCE_S
    last: dict = {}
    while time.monotonic() < deadline:
        listed = opsmith("incident", "list", "-o", "json", OPSMITH_DATA_DIR=str(data / "opsmith"))
        for incident in json.loads(listed):
            last = incident
            verdict = incident["verdict"] or {}
            blame = verdict.get("cause") or {}
            if blame.get("entity") == wanted and verdict["path"] == path:
                return incident
        time.sleep(2.0)
    return last


@pytest.mark.parametrize("name", ["disk-full", "bad-config", "bad-deploy"])
def test_a_fault_in_the_live_shop_leads_to_its_cause_by_itself(name: str, data: Path) -> None:
    known = {one["name"]: one for one in json.loads(opsmith("lab", "faults", "-o", "json"))}[name]

    opsmith("lab", "fault", name, "--for", "600", "--data", str(data))
    incident = blamed(data, known["entity"], known["path"])

    assert incident, "no incident came"
    assert incident["verdict"]["cause"] == {"entity": known["entity"], "kind": known["kind"]}
    assert incident["verdict"]["path"] == known["path"]
    address = json.loads(opsmith("lab", "status", "-o", "json", "--data", str(data)))["opsmith"]
    report = httpx.get(f"{address}/v1/incidents/{incident['id']}/report.html")
    assert known["entity"] in report.text
    if name == "bad-deploy":
        healed(data)
    if name == "disk-full":
        a_wrong_runbook_is_undone(data, incident["id"])


def healed(data: Path) -> None:
    """The runbook's plan waits; approved and run, it rolls back for real and the alerts end."""
    status = json.loads(opsmith("lab", "status", "-o", "json", "--data", str(data)))
    told = status["opsmith_environment"]
    plans = json.loads(opsmith("plans", "list", "-o", "json", **told))
    waiting = [one["id"] for one in plans if one["state"] == "proposed"]

    opsmith("approve", waiting[0], **told)
    outcome = json.loads(opsmith("run", waiting[0], "-o", "json", **told))

    assert outcome["state"] == "done", outcome["says"]
    assert "It helped" in outcome["says"]
    audited = json.loads(opsmith("audit", "verify", "-o", "json", **told))
    assert audited["whole"]


def a_wrong_runbook_is_undone(data: Path, incident: str) -> None:
    """Its change is made in the running shop, is seen not to help, and is taken back there."""
    status = json.loads(opsmith("lab", "status", "-o", "json", "--data", str(data)))
    runbooks = data / "wrong.yaml"
    runbooks.write_text(WRONG)
    told = {**status["opsmith_environment"], "OPSMITH_RUNBOOKS_FILE": str(runbooks)}
    before = pool(told)

    plan = json.loads(opsmith("plan", incident, "-o", "json", **told))["id"]
    opsmith("approve", plan, **told)
    outcome = json.loads(opsmith("run", plan, "-o", "json", leaves_with=1, **told))

    assert outcome["state"] == "undone", outcome["says"]
    assert "It did not help" in outcome["says"]
    assert [act["state"] for act in outcome["acts"]] == ["undone"]
    assert pool(told) == before
    assert json.loads(opsmith("audit", "verify", "-o", "json", **told))["whole"]


def pool(told: dict[str, str]) -> str:
    """What the running shop says of the setting: the rehearsal of another change tells it."""
    words = ("config.set", "service:payments", "key=pool_size", "value=63")
    planned = json.loads(opsmith("plan", *words, "--why", "to see", "-o", "json", **told))
    return str(planned["steps"][0]["preview"])
