"""`opsmith ranker`: solved incidents teach the ranking, and investigate uses what was learned."""

import json
from pathlib import Path

import pytest
from builders.bundles import write_bundle
from click.testing import CliRunner, Result

from opsmith.cli.main import opsmith


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(opsmith, list(map(str, arguments)))


def solved(folder: Path, *, entity: str = "service:orders") -> tuple[Path, Path]:
    for name in ("one", "two"):
        write_bundle(folder / "bundles" / name, name=name)
    truth = folder / "truth.jsonl"
    rows = [
        {"incident": name, "entity": entity, "kind": "pool.exhausted"} for name in ("one", "x")
    ]
    truth.write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    return folder / "bundles", truth


def test_without_weights_of_ones_own_the_shipped_ones_are_shown(data_dir: Path) -> None:
    shown = json.loads(run("ranker", "show", "-o", "json").stdout)

    assert shown["origin"].startswith("shipped: fitted on")
    assert shown["incidents"] == shown["cases"] == 0
    assert shown["trees"] > 0
    assert not data_dir.exists()


def test_what_was_fitted_is_kept_shown_used_and_reset(data_dir: Path, tmp_path: Path) -> None:
    bundles, truth = solved(tmp_path)

    fitted = run("ranker", "fit", bundles, "--truth", truth)
    shown = run("ranker", "show")
    answer = run("investigate", bundles / "one", "-o", "json")

    assert fitted.exit_code == 0, fitted.output
    assert "Learned from 1 incidents: one." in fitted.stdout
    assert "Left out, named on one side only: two, x." in fitted.stdout
    assert "refitted on 1 solved incidents" in shown.stdout
    assert "resource" in shown.stdout
    assert json.loads(answer.stdout)["causes"][0]["entity"] == "service:orders"
    assert [path.name for path in data_dir.iterdir()] == ["ranker.json"]
    assert "Forgotten" in run("ranker", "reset").stdout
    assert "There were none" in run("ranker", "reset").stdout


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ("not json", ":1: not an object"),
        ('{"incident": "one"}', ":1: not an object"),
        ('{"incident": "one", "entity": "nothing"}', "TYPE:NAME"),
        ('{"incident": "elsewhere", "entity": "service:a"}', "names no bundle"),
        ('{"incident": "../bundles/one", "entity": "service:a"}', "names no bundle"),
        ('{"incident": "one", "entity": "service:stranger"}', "names a cause"),
    ],
)
def test_a_truth_file_that_teaches_nothing_is_told(
    data_dir: Path, tmp_path: Path, truth: str, said: str
) -> None:
    bundles, file = solved(tmp_path)
    file.write_text(truth, encoding="utf-8")

    done = run("ranker", "fit", bundles, "--truth", file)

    assert done.exit_code == 2
    assert said in done.stderr
    assert not data_dir.exists()


def test_what_is_not_there_is_told(data_dir: Path, tmp_path: Path) -> None:
    bundles, truth = solved(tmp_path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")

    for folder, file in ((tmp_path / "no", truth), (bundles, tmp_path / "no"), (bundles, binary)):
        assert run("ranker", "fit", folder, "--truth", file).exit_code == 2
    assert not data_dir.exists()


def test_damaged_weights_are_told_with_the_way_out(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "ranker.json").write_text("{", encoding="utf-8")

    done = run("ranker", "show")

    assert done.exit_code == 2
    assert "ranker reset" in done.stderr
