"""`opsmith bundle` in the terminal."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opsmith.cli.main import opsmith
from opsmith.errors import NotFound
from opsmith.wiring import BUNDLE_SCHEMAS, bundle_schema, metrics_of


def run(*words: str) -> Result:
    return CliRunner().invoke(opsmith, ["bundle", *words])


def good(folder: Path) -> Path:
    (folder / "incident.yaml").write_text(
        "name: t\nwindow: {start: 2026-01-01T00:00:00Z, end: 2026-01-01T00:01:00Z}\n"
    )
    (folder / "metrics.om").write_text("up 1 1767225600\nup 0 1767225660\n# EOF\n")
    change = {"at": "2026-01-01T00:00:10Z", "entity": "service:cart"}
    (folder / "changes.jsonl").write_text(json.dumps(change))
    return folder


def test_a_good_bundle_is_told_part_by_part_with_code_0(tmp_path: Path) -> None:
    done = run("check", str(good(tmp_path)))

    assert done.exit_code == 0
    assert "t: usable" in done.output
    assert "1 series" in done.output
    assert "Not recorded:" in done.output
    assert "no logs.jsonl in the bundle" in done.output


def test_the_json_holds_counts_times_and_lacks(tmp_path: Path) -> None:
    done = run("check", str(good(tmp_path)), "-o", "json")

    told = json.loads(done.output)
    assert told["usable"] is True
    assert told["problems"] == []
    assert {lack["part"] for lack in told["lacking"]} == {"alerts", "logs", "traces", "topology"}
    assert told["parts"][0] == {
        "part": "metrics",
        "count": 1,
        "unit": "series",
        "first": "2026-01-01T00:00:00Z",
        "last": "2026-01-01T00:01:00Z",
    }
    assert told["window"]["start"] == "2026-01-01T00:00:00Z"


def test_a_damaged_bundle_has_code_1_and_no_sign_of_it_steers_the_terminal(tmp_path: Path) -> None:
    (good(tmp_path) / "incident.yaml").write_text('name: "a\\e[31mb"\ncolour: red\n')

    done = run("check", str(tmp_path))

    assert done.exit_code == 1
    assert "a?[31mb: usable" in done.output
    assert "Problems:" in done.output


def test_a_bundle_without_signals_has_code_1(tmp_path: Path) -> None:
    (tmp_path / "incident.yaml").write_text("name: t\n")

    done = run("check", str(tmp_path), "-o", "json")

    assert done.exit_code == 1
    assert json.loads(done.output)["usable"] is False
    assert "nothing to investigate" in run("check", str(tmp_path)).output


def test_no_bundle_is_a_wrong_use(tmp_path: Path) -> None:
    done = run("check", str(tmp_path))

    assert done.exit_code == 2


@pytest.mark.parametrize("name", BUNDLE_SCHEMAS)
def test_schemas_are_printed(name: str) -> None:
    assert json.loads(run("schema", name).output)["type"] == "object"


def test_an_unknown_schema_is_refused() -> None:
    assert run("schema", "truth").exit_code == 2
    with pytest.raises(NotFound):
        bundle_schema("../incident")


def test_metrics_come_from_a_file_or_from_an_address(tmp_path: Path) -> None:
    good(tmp_path)

    assert type(metrics_of(str(tmp_path / "metrics.om"))).__name__ == "RecordedMetrics"
    assert type(metrics_of("http://127.0.0.1:9090")).__name__ == "PrometheusMetrics"
