import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from opsmith_lab.cli import lab
from opsmith_lab.faults.table import FAULTS
from opsmith_lab.injector import NotPossible, injection
from opsmith_lab.layout import path_from

from opsmith.nouns.cause import CauseKind
from opsmith.nouns.entity import Entity


def listed() -> list[dict[str, object]]:
    answer = CliRunner().invoke(lab, ["faults", "-o", "json"])
    assert answer.exit_code == 0
    return json.loads(answer.output)


def test_each_fault_says_whom_it_befalls_with_which_kind_alert_and_path() -> None:
    for row in listed():
        assert row["kind"] in set(map(str, CauseKind))
        assert row["entity"] in row["targets"]
        assert row["alert"]
        assert row["path"][-1] == "service:frontend"
        for target in [*row["targets"], *row["path"]]:
            assert str(Entity.parse(target)) == target


def test_the_path_leads_from_the_cause_over_its_callers_to_the_entrance() -> None:
    assert path_from("payments") == ["service:payments", "service:checkout", "service:frontend"]
    edge = next(row for row in listed() if row["name"] == "slow-dependency")
    assert edge["path"] == ["edge:checkout->inventory", "service:checkout", "service:frontend"]


def test_every_listed_target_of_every_fault_can_be_injected() -> None:
    for fault in FAULTS.values():
        for target in fault.targets:
            wanted = injection(fault.name, target=target, strength=0.5, after_s=0, for_s=1)
            assert wanted.target == target


@pytest.mark.parametrize(
    ("name", "target", "strength"),
    [
        ("no-such-fault", None, 1.0),
        ("pool-exhausted", "service:cart", 1.0),
        ("cpu-hog", "edge:checkout->cart", 1.0),
        ("cpu-hog", "../../etc", 1.0),
        ("cpu-hog", None, 0.0),
        ("cpu-hog", None, float("nan")),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(
    name: str, target: str | None, strength: float
) -> None:
    with pytest.raises(NotPossible, match=r"there are|it can|strength"):
        injection(name, target=target, strength=strength, after_s=0, for_s=1)


def test_a_command_without_a_running_lab_says_how_to_start_one(tmp_path: Path) -> None:
    answer = CliRunner().invoke(lab, ["status", "--data", str(tmp_path)])

    assert answer.exit_code == 3
    assert "opsmith lab up" in answer.output


def test_up_refuses_a_folder_that_holds_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    monkeypatch.setattr("opsmith_lab.components.find", lambda name: tmp_path / name)

    answer = CliRunner().invoke(lab, ["up", "--data", str(tmp_path)])

    assert answer.exit_code == 1
    assert "not empty" in answer.output
    assert (tmp_path / "thesis.txt").exists()
