"""`opsmith detect`, `anomaly label` and `evaluate anomaly` at the terminal."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from opsmith.cli.main import opsmith


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path / "data"))
    values = np.tile(np.random.default_rng(31).normal(size=30), 30)
    values[600] += 40
    folder = tmp_path / "history"
    folder.mkdir()
    rows = [f"{1_700_000_000 + 60 * n},{value}" for n, value in enumerate(values)]
    (folder / "load.csv").write_text("timestamp,value\n" + "\n".join(rows))
    return folder / "load.csv"


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(opsmith, arguments, input=stdin)


def test_a_file_is_told_as_lines_of_json_and_an_anomaly_can_be_labelled(table: Path) -> None:
    told = run("detect", "--file", str(table), "-o", "json")
    found = [json.loads(line) for line in told.stdout.splitlines()]

    labelled = run("anomaly", "label", found[0]["id"], "--false", "-o", "json")

    assert found[0]["verdict"] == "alarm"
    assert json.loads(labelled.stdout)["threshold_x"] > 1.0
    assert "times the usual" in run("anomaly", "label", found[0]["id"], "--true").stdout


def test_standard_input_is_told_in_words_and_bad_lines_are_passed_over(table: Path) -> None:
    told = run("detect", "--stdin", stdin="nonsense\n" + table.read_text())

    assert told.exit_code == 0
    assert "ALARM" in told.stdout
    assert "is unusual" in told.stdout
    assert "is no number" in told.stderr or "is no time" in told.stderr


def test_history_is_evaluated(table: Path) -> None:
    assert "1 alarms, " in run("evaluate", "anomaly", str(table.parent)).stdout
    assert (
        json.loads(run("evaluate", "anomaly", str(table.parent), "-o", "json").stdout)["alarms"]
        == 1
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("detect",),
        ("detect", "up", "--stdin"),
        ("anomaly", "label", "cafe", "--true"),
        ("anomaly", "label", "cafe"),
    ],
)
@pytest.mark.usefixtures("table")
def test_what_cannot_be_answered_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_file_leaves_what_a_stream_has_learned_of_other_series(table: Path) -> None:
    lines = "\n".join(f"live,{1_700_000_000 + 60 * n},{n % 7}" for n in range(300))
    run("detect", "--stdin", stdin=lines)

    run("detect", "--file", str(table))
    told = run(
        "detect",
        "--stdin",
        stdin="\n".join(f"live,{1_700_018_000 + 60 * n},900" for n in range(3)),
    )

    assert "ALARM" in told.stdout


@pytest.mark.parametrize("what", ["anomaly", "forecast"])
def test_a_folder_that_is_not_there_or_holds_no_series_is_named(tmp_path: Path, what: str) -> None:
    assert "no such folder" in run("evaluate", what, str(tmp_path / "nowhere")).stderr
    assert "no file in it holds series" in run("evaluate", what, str(tmp_path)).stderr


def test_what_a_file_lacks_is_told_beside_the_answer(table: Path) -> None:
    table.write_text(table.read_text() + "\n1700060000,inf", encoding="utf-8")

    assert "infinite value" in run("detect", "--file", str(table)).stderr
    assert "infinite value" in run("forecast", "--file", str(table), "--fleet").stderr
