"""A registered script, from its plan to its undo, as a user types it."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from opsmith.cli.main import opsmith as command

pytestmark = pytest.mark.needs_sandbox

SCRIPTS = {
    "run": "#!/bin/sh\necho $1 > {folder}/size && echo token=abc set to $1\n",
    "look": "#!/bin/sh\ncat {folder}/size\n",
    "verify": "#!/bin/sh\ntest -s {folder}/size\n",
    "undo": "#!/bin/sh\necho 1 > {folder}/size\n",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    for one in (*list(tmp_path.parents)[:2], tmp_path):
        one.chmod(0o755)
    folder.chmod(0o777)
    (folder / "size").write_text("1\n")
    (folder / "size").chmod(0o666)
    parts = {}
    for name, text in SCRIPTS.items():
        file = tmp_path / name
        file.write_text(text.format(folder=folder))
        parts[name] = {
            "file": str(file),
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
    script = {
        **parts,
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "required": ["size"],
            "properties": {"size": {"type": "integer"}},
        },
        "arguments": ["size"],
        "writes": [str(folder)],
    }
    known = {"targets": [{"target": "service:cart", "scripts": {"resize": script}}]}
    (tmp_path / "targets.yaml").write_text(yaml.safe_dump(known))
    monkeypatch.setenv("OPSMITH_TARGETS_FILE", str(tmp_path / "targets.yaml"))
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def opsmith(*words: str) -> Result:
    return CliRunner().invoke(command, words)


def planned(size: int = 64) -> str:
    told = opsmith(
        *("plan", "script.run", "service:cart", "script=resize"),
        f'parameters={{"size": {size}}}',
        *("--why", "too small", "-o", "json"),
    )
    assert told.exit_code == 0, told.output
    return str(json.loads(told.stdout)["id"])


def test_a_script_is_planned_run_verified_and_undone(site: Path) -> None:
    plan = planned()
    assert opsmith("approve", plan).exit_code == 0

    ran = opsmith("run", plan)

    assert ran.exit_code == 0, ran.output
    assert "cgroup v" in ran.output
    assert "token=[redacted] set to 64" in ran.output
    assert (site / "cache" / "size").read_text() == "64\n"

    assert opsmith("undo", plan).exit_code == 0
    assert (site / "cache" / "size").read_text() == "1\n"
    kept = "".join(one.read_text() for one in (site / "data" / "runs").iterdir())
    assert "token=[redacted]" in kept


def test_a_script_that_was_changed_after_its_approval_does_not_run(site: Path) -> None:
    plan = planned()
    opsmith("approve", plan)
    with (site / "run").open("a") as opened:
        opened.write("echo more\n")

    ran = opsmith("run", plan)

    assert ran.exit_code != 0
    assert "not what was registered" in ran.output
    assert (site / "cache" / "size").read_text() == "1\n"


def test_a_state_that_changed_after_the_approval_stops_it(site: Path) -> None:
    plan = planned()
    opsmith("approve", plan)
    (site / "cache" / "size").write_text("2\n")

    ran = opsmith("run", plan)

    assert ran.exit_code != 0
    assert "has changed since the plan was made" in ran.output


def test_a_run_beyond_its_quota_never_began_and_is_not_undone(site: Path) -> None:
    file = site / "targets.yaml"
    known = yaml.safe_load(file.read_text())
    script = known["targets"][0]["scripts"]["resize"]
    script["limits"] = {"per_minute": 1}
    del script["look"]  # it would be counted too, by itself
    file.write_text(yaml.safe_dump(known))
    for size in (64, 32):
        plan = planned(size)
        opsmith("approve", plan)
        ran = opsmith("run", plan)

    assert ran.exit_code == 1, ran.output
    assert "was not run: 1 runs of script.resize began within a minute" in ran.output
    assert (site / "cache" / "size").read_text() == "64\n"
    shown = json.loads(opsmith("plans", "show", plan, "-o", "json").stdout)
    assert [act["state"] for act in shown["acts"]] == ["not_begun"]
