import json
import os
from pathlib import Path

import pytest
from builders.bundles import write_bundle
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from opsmith import wiring
from opsmith.cli.main import opsmith
from opsmith.explain.answer import schema


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(opsmith, ["investigate", *map(str, arguments)])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "pool")


def test_a_bundle_gets_its_cause_and_path_in_text(bundle: Path) -> None:
    done = run(bundle)

    assert done.exit_code == 0, done.output
    assert "service:orders" in done.stdout
    assert "Timeline (UTC)" in done.stdout


def test_the_json_answer_follows_the_shipped_schema(bundle: Path) -> None:
    done = run(bundle, "-o", "json")
    said = json.loads(done.stdout)

    Draft202012Validator(json.loads(schema())).validate(said)
    assert said["incident"] == "pool"
    assert said["causes"][0]["entity"] == "service:orders"
    assert {missing["part"] for missing in said["missing"]} >= {"traces", "logs"}


def test_the_same_bundle_gives_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    first = run(bundle, "-o", "json", "--report", tmp_path / "a.html")
    second = run(bundle, "-o", "json", "--report", tmp_path / "b.html")

    assert first.stdout == second.stdout
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize(("name", "start"), [("r.html", "<!DOCTYPE html>"), ("r.md", "# ")])
def test_the_report_is_written_as_its_suffix_says(
    bundle: Path, tmp_path: Path, name: str, start: str
) -> None:
    done = run(bundle, "--report", tmp_path / name)

    assert done.exit_code == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert name in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_report_gets_the_rights_of_any_new_file(bundle: Path, tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        run(bundle, "--report", tmp_path / "r.md")
    finally:
        os.umask(mask)

    assert (tmp_path / "r.md").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["r.pdf", "r", "r.HTML.exe"])
def test_an_unknown_suffix_is_a_usage_error_before_any_work(tmp_path: Path, name: str) -> None:
    done = run(tmp_path / "nowhere", "--report", tmp_path / name)

    assert done.exit_code == 2
    assert ".html or .md" in done.stderr


def test_a_report_into_a_missing_folder_is_refused_with_a_hint(
    bundle: Path, tmp_path: Path
) -> None:
    done = run(bundle, "--report", tmp_path / "no" / "r.html")

    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    assert done.stdout == ""


def test_a_report_that_cannot_replace_its_place_leaves_nothing_behind(
    bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "out" / "r.html").mkdir(parents=True)

    done = run(bundle, "--report", tmp_path / "out" / "r.html")

    assert done.exit_code == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["r.html"]


@pytest.mark.parametrize("make", [False, True], ids=["no such folder", "empty folder"])
def test_an_unusable_bundle_is_one_line_and_exit_code_2(tmp_path: Path, make: bool) -> None:  # noqa: FBT001
    folder = tmp_path / "bundle"
    if make:
        folder.mkdir()

    done = run(folder)

    assert done.exit_code == 2
    assert done.stderr.startswith("opsmith: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_with_json_an_error_is_an_object_too(tmp_path: Path) -> None:
    done = run(tmp_path / "nowhere", "-o", "json")
    error = json.loads(done.stdout)["error"]

    assert done.exit_code == error["exit_code"] == 2
    assert error["type"] == "BadInput"
    assert error["message"]


@pytest.mark.parametrize("arguments", [["--top", "0"], ["--path-weights", "x"], ["-o", "xml"]])
def test_a_wrong_option_is_a_usage_error(bundle: Path, arguments: list[str]) -> None:
    assert run(bundle, *arguments).exit_code == 2


def test_top_bounds_the_causes(bundle: Path) -> None:
    assert len(json.loads(run(bundle, "-o", "json", "--top", "1").stdout)["causes"]) == 1


def test_additive_path_weights_give_the_path_a_cost(bundle: Path) -> None:
    said = json.loads(run(bundle, "-o", "json", "--path-weights", "additive").stdout)

    assert said["path"] == ["service:orders", "service:frontend"]
    assert said["path_details"]["cost"] is not None


def test_a_truth_file_is_never_opened(bundle: Path) -> None:
    before = run(bundle, "-o", "json").stdout
    for name in ("truth.json", "label.json", "labels.csv"):
        (bundle / name).write_text('{"entity": "service:cart"}', encoding="utf-8")
        (bundle / name).chmod(0)

    assert run(bundle, "-o", "json").stdout == before


def test_a_hostile_name_reaches_neither_the_terminal_nor_the_page(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    folder = write_bundle(tmp_path / "b", name="evil\x1b[2J", alerting=name)

    done = run(folder, "--report", tmp_path / "r.html")

    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.stdout
    assert "<img" not in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_what_nobody_foresaw_is_told_without_a_traceback(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("x\x1b")

    monkeypatch.setattr(wiring, "investigate", fail)
    done = run(bundle)

    assert done.exit_code == 1
    assert "OPSMITH_DEBUG=1" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


def test_the_debug_setting_shows_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSMITH_DEBUG", "1")

    assert "Traceback" in run(tmp_path / "nowhere").stderr


def test_ctrl_c_ends_the_command_as_shells_expect(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(wiring, "investigate", interrupt)
    done = run(bundle)

    assert done.exit_code == 130
    assert done.stderr == "opsmith: interrupted.\n"
