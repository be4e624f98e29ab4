"""plan, approve, run and the rest, as typed."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opsmith.cli.deciding import decided
from opsmith.cli.main import opsmith
from opsmith.cli.talk import Talk
from opsmith.errors import BadInput
from opsmith.settings import load
from opsmith.wiring.ask import AskSources
from opsmith.wiring.sessions import conversation


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cart.env").write_text("POOL=40\n")
    (tmp_path / "pay.yaml").write_text("size: 1\n")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.log").write_text("x")
    os.utime(logs / "a.log", (time.time() - 1e6,) * 2)
    targets = {
        "targets": [
            {
                "target": "service:cart",
                "config": {"file": str(tmp_path / "cart.env"), "format": "env"},
                "logs": {"folder": str(logs)},
            },
            {
                "target": "service:pay",
                "config": {
                    "file": str(tmp_path / "pay.yaml"),
                    "format": "yaml",
                    "owner": "flux",
                    "repository": str(tmp_path),
                },
            },
        ]
    }
    (tmp_path / "targets.yaml").write_text(json.dumps(targets))
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OPSMITH_TARGETS_FILE", str(tmp_path / "targets.yaml"))
    monkeypatch.delenv("OPSMITH_POLICY_FILE", raising=False)
    return tmp_path


def typed(*words: str) -> Result:
    return CliRunner().invoke(opsmith, words)


def made(*words: str) -> str:
    result = typed("plan", *words, "--why", "it is ill", "-o", "json")
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["id"])


def test_a_change_is_planned_approved_and_carried_out(house: Path) -> None:
    name = made("config.set", "service:cart", "key=POOL", "value=80")
    assert typed("run", name).exit_code == 4
    assert (house / "cart.env").read_text() == "POOL=40\n"

    assert "opsmith run" in typed("approve", name).stdout
    done = typed("run", name)

    assert done.exit_code == 0
    assert "verified: POOL: 40 -> 80; POOL is 80" in done.stdout
    assert (house / "cart.env").read_text() == "POOL=80\n"
    shown = json.loads(typed("plans", "show", name, "-o", "json").stdout)
    assert shown["state"] == "done"
    assert shown["acts"][0]["before"] == {"value": "40"}
    assert name in typed("plans", "list").stdout


def test_deleting_logs_takes_two_people_and_one_is_not_two(house: Path) -> None:
    name = made("logs.clean", "service:cart", "older_than_s=86400")

    assert typed("approve", name).exit_code == 0
    assert typed("approve", name).exit_code == 4
    refused = typed("run", name, "-o", "json")

    assert refused.exit_code == 4
    assert "needs 2" in json.loads(refused.stdout)["denied"]["reason"]
    assert (house / "logs" / "a.log").exists()


def test_logs_are_set_aside_by_one(house: Path) -> None:
    name = made("logs.quarantine", "service:cart", "older_than_s=86400")
    typed("approve", name)

    result = typed("run", name, "-o", "json")

    assert json.loads(result.stdout)["state"] == "done"
    assert not (house / "logs" / "a.log").exists()


def test_what_gitops_owns_gets_a_patch(house: Path) -> None:
    live = typed("plan", "config.set", "service:pay", "key=size", "value=2", "--why", "small")
    assert live.exit_code == 4
    assert "flux" in live.stdout

    name = made("config.patch", "service:pay", "key=size", "value=2")

    assert typed("run", name).exit_code == 0
    assert (house / "pay.yaml").read_text() == "size: 1\n"
    assert len(list((house / "data" / "patches").iterdir())) == 1


def test_a_rejected_plan_stays_rejected(house: Path) -> None:
    name = made("config.set", "service:cart", "key=POOL", "value=80")

    assert "rejected" in typed("reject", name, "--why", "not now").stdout
    assert typed("approve", name).exit_code == 4
    assert typed("run", name).exit_code == 4
    assert (house / "cart.env").read_text() == "POOL=40\n"


def test_a_policy_that_cannot_be_read_lets_nothing_run(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = made("config.set", "service:cart", "key=POOL", "value=80")
    typed("approve", name)
    (house / "policy.yaml").write_text("version: 1\nrules: [{name: x, then: allways}]\n")
    monkeypatch.setenv("OPSMITH_POLICY_FILE", str(house / "policy.yaml"))

    answer = typed("run", name)
    monkeypatch.setenv("OPSMITH_POLICY_FILE", str(house / "none.yaml"))
    gone = typed("run", name)

    assert (answer.exit_code, gone.exit_code) == (4, 4)
    assert "denied (policy)" in answer.stderr
    assert (house / "cart.env").read_text() == "POOL=40\n"


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("config.eat", "service:cart"), "no action"),
        (("config.set", "cart"), "TYPE:NAME"),
        (("config.set", "service:cart", "POOL"), "NAME=VALUE"),
        (("config.set", "service:cart", "colour=red"), "NAME=VALUE"),
        (("config.set", "service:cart", "key=POOL", "key=POOL"), "takes one key"),
        (("config.set", "service:cart", "key=POOL"), "'value' is a required property"),
        (("config.set", "service:cart", "key=../etc", "value=1"), "does not match"),
        (("config.set", "service:none", "key=A", "value=1"), "Nothing here carries config.set"),
        (("config.set", "edge:a->b", "key=A", "value=1"), "works on"),
        (("logs.clean", "service:cart", "older_than_s=soon"), "must be number"),
        (("logs.clean", "service:cart", "older_than_s=1"), "minimum"),
    ],
)
def test_what_cannot_be_planned_says_why(words: tuple[str, ...], says: str) -> None:
    result = typed("plan", *words, "--why", "x")

    assert result.exit_code == 2
    assert says in result.stderr


def test_actions_are_listed_with_their_undo() -> None:
    assert "undo: puts the old value back" in typed("actions").stdout
    names = [one["name"] for one in json.loads(typed("actions", "-o", "json").stdout)]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("targets: [{target: cart}]", "TYPE:NAME"),
        ("targets: [{target: 'service:a'}, {target: 'service:a'}]", "twice"),
        ("targets: [{target: 'service:a', logs: {folder: logs}}]", "absolute"),
        ("targets: [{target: 'service:a', colour: red}]", "colour"),
        ("targets: [", "no YAML"),
        ("#" * (1024 * 1024 + 1), "larger"),
    ],
)
def test_a_targets_file_that_cannot_be_used_says_where(house: Path, text: str, says: str) -> None:
    (house / "targets.yaml").write_text(text)

    result = typed("plans", "list")

    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.usefixtures("house")
def test_autonomy_is_listed_and_granted_only_when_earned() -> None:
    refused = typed("autonomy", "set", "config.set", "auto", "-o", "json")
    lowered = typed("autonomy", "set", "config.set", "shadow")

    assert refused.exit_code == 4
    assert json.loads(refused.stdout)["denied"]["rule"] == "autonomy"
    assert lowered.exit_code == 0
    rows = {
        one["action"]: one for one in json.loads(typed("autonomy", "list", "-o", "json").stdout)
    }
    assert rows["config.set"]["level"] == "shadow"
    assert rows["logs.clean"]["why"] == "never tried"
    assert typed("autonomy", "set", "config.eat", "ask").exit_code == 2


def test_runbooks_are_listed_and_checked(house: Path) -> None:
    assert "logs.clean on {cause}" in typed("runbook", "list").stdout
    book = {
        "name": "grow",
        "kinds": ["pool.exhausted"],
        "steps": [{"action": "config.set", "target": "{cause}", "values": {"key": "P"}}],
        "checks": [{"kind": "alerts_quiet"}],
    }
    (house / "books.yaml").write_text(json.dumps({"version": 1, "runbooks": [book]}))

    lacking = typed("runbook", "check", str(house / "books.yaml"))
    book["steps"] = [
        {"action": "config.set", "target": "{cause}", "values": {"key": "P", "value": "8"}}
    ]
    (house / "books.yaml").write_text(json.dumps({"version": 1, "runbooks": [book]}))
    whole = typed("runbook", "check", str(house / "books.yaml"), "-o", "json")

    assert lacking.exit_code == 2
    assert "'value' is a required property" in lacking.stderr
    assert json.loads(whole.stdout)[0]["kinds"] == ["pool.exhausted"]
    assert typed("runbook", "check", str(house / "none.yaml")).exit_code == 3


@pytest.mark.usefixtures("house")
def test_planning_an_incident_that_is_not_there_is_said() -> None:
    assert "no incident" in typed("plan", "20260101-000000-abcdef").stderr
    assert typed("plan", "config.set", "service:cart").exit_code == 2


def test_several_targets_go_in_waves_and_need_a_check(house: Path) -> None:
    words = ("config.set", "service:cart", "key=POOL", "value=80", "--also", "service:pay")
    bare = typed("plan", *words, "--why", "x")
    check = ("--check", "expression_quiet=up == 0")
    ramp = ("config.set", "service:cart", "key=POOL", "--ramp", "value=50,60,70", *check)

    made = json.loads(typed("plan", *ramp, "--why", "x", "-o", "json").stdout)
    shown = typed("plans", "show", made["id"]).stdout

    assert bare.exit_code == 2
    assert "--check" in bare.stderr
    assert made["waves"] == [1, 2]
    assert [one["values"]["value"] for one in made["steps"]] == ["50", "60", "70"]
    assert "in waves of 1, 2 steps" in shown
    assert typed("plan", *words, "--why", "x", "--check", "vibes=good").exit_code == 2
    assert house.exists()


@pytest.fixture
def names(house: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (house / "names.json").write_text(json.dumps({"services": ["cart", "pay"]}))
    monkeypatch.setenv("OPSMITH_INVENTORY_FILE", str(house / "names.json"))
    return house


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    "words",
    [
        ("delete logs of cart older than 7 days",),
        ("删除 cart 7 天前的日志",),
        ("clean_logs", "service=cart", "older_than=7d"),
    ],
)
def test_a_sentence_or_a_task_becomes_the_same_plan(words: tuple[str, ...]) -> None:
    result = typed("plan", *words, "-o", "json")

    assert result.exit_code == 4, result.output
    (answer,) = json.loads(result.stdout)["answers"]
    (step,) = answer["plan"]["steps"]
    assert (step["action"], step["target"]) == ("logs.clean", "service:cart")
    assert step["values"] == {"older_than_s": 7 * 86_400}
    assert answer["plan"]["judgement"]["approvers"] == 2


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("is cart healthy?",), "asks for no change"),
        (("check_health", "service=cart"), "asks for no change"),
        (("clean_logs", "service=cart", "colour=red"), "SLOT=VALUE of clean_logs"),
        (("clean_logs", "service=cart", "older_than=soon"), "lacks a right older_than"),
        (("scale_service", "service=cart", "replicas=many"), "lacks a right replicas"),
        (("restart_service",), "lacks a right service"),
    ],
)
def test_a_task_that_is_none_says_why(words: tuple[str, ...], says: str) -> None:
    result = typed("plan", *words)

    assert result.exit_code == 2
    assert says in result.stderr


def test_in_a_talk_the_person_approves_and_runs_what_was_shown(names: Path) -> None:
    talk = Talk(json_wanted=False, sources=AskSources(), timeout_s=60.0)

    async def said() -> tuple[str, str]:
        async with conversation(load(), talk.sources) as one:
            with pytest.raises(BadInput, match="No plan was shown"):
                await decided(one, "approve")
            await one.turn("delete logs of pay older than 7 days", timeout_s=60.0)
            assert one.last_plan == ""
            await one.turn("delete logs of cart older than 7 days", timeout_s=60.0)
            assert not await decided(one, "approve it and be quick")
            assert await decided(one, "批准")
            assert await decided(one, f"RUN {one.last_plan}")
            control = await one.asker.control()
            assert control is not None
            first = str((await control.plan(one.last_plan, by=one.principal)).state)
            assert await decided(one, "reject")
            return first, str((await control.plan(one.last_plan, by=one.principal)).state)

    assert asyncio.run(said()) == ("approved", "rejected")
    assert (names / "logs" / "a.log").exists()
