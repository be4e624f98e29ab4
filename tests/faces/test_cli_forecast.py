"""`opsmith forecast` and `opsmith evaluate forecast`: parsing, printing, pictures, codes."""

import asyncio
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from opsmith_lab.components import find

from opsmith.cli.main import opsmith
from tests.promises.real_prometheus import free_port, started, until_ready


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "disk.csv"
    t = np.arange(400)
    used = 40 + 0.05 * t + np.sin(2 * np.pi * t / 24)
    free = 60 - 0.05 * t
    rows = [f"{1_700_006_400 + 3600 * i},{used[i]:.3f},{free[i]:.3f}" for i in t]
    path.write_text("\n".join(["timestamp,used,free", *rows]) + "\n", encoding="utf-8")
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(opsmith, [str(word) for word in words])


def test_a_file_is_forecast_with_a_chart_a_sentence_and_figures(table: Path) -> None:
    result = run("forecast", "used", "--file", table, "--horizon", "2d", "--threshold", "61")

    assert result.exception is None
    assert "It will be above 61 in" in result.output
    assert "Chosen:" in result.output
    assert "⠀" in result.output


def test_json_has_every_quantile_and_the_breach(table: Path) -> None:
    result = run(
        "forecast", "free", "--file", table, "--horizon", "1d12h", "--threshold", "1", "-o", "json"
    )

    (one,) = json.loads(result.stdout)
    assert len(one["quantiles"]) == len(one["levels"]) == 11
    assert len(one["quantiles"][0]) == 36
    assert one["breach"]["side"] == "below"
    assert {trial["model"] for trial in one["backtest"]} >= {"last value"}


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture_is_written_as_its_suffix_says(table: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"

    result = run("forecast", "used", "--file", table, "--plot", path)

    assert result.exception is None
    assert path.read_bytes()[:4] == (b"<svg" if ending == "svg" else b"\x89PNG")


def test_pictures_of_two_series_or_of_an_unknown_kind_are_refused(
    table: Path, tmp_path: Path
) -> None:
    assert run("forecast", "--file", table, "--plot", tmp_path / "a.svg").exit_code == 2
    assert run("forecast", "used", "--file", table, "--plot", tmp_path / "a.gif").exit_code == 2


def test_a_selector_that_matches_nothing_says_so(table: Path) -> None:
    assert run("forecast", "other", "--file", table).exit_code == 2


@pytest.mark.parametrize(
    "words", [("forecast",), ("forecast", "x", "--file", "f", "--prometheus", "http://p")]
)
def test_no_source_or_two_are_refused(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_without_a_server_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPSMITH_PROMETHEUS_URL", raising=False)

    assert "OPSMITH_PROMETHEUS_URL" in run("forecast", "up").output


@pytest.mark.parametrize("horizon", ["6", "h", "0h", "99999999w", "6h!"])
def test_what_is_no_duration_is_a_usage_error(table: Path, horizon: str) -> None:
    result = run("forecast", "--file", table, "--horizon", horizon)

    assert result.exit_code == 2
    assert "is no duration" in result.output


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_fleet_is_one_line_a_series(table: Path, output: str) -> None:
    result = run("forecast", "--file", table, "--fleet", "--horizon", "6h", "-o", output)

    assert result.exception is None
    if output == "json":
        rows = json.loads(result.stdout)
        assert [len(row["p50"]) for row in rows] == [6, 6]
    else:
        assert "used" in result.stdout
        assert "free" in result.stdout


@pytest.mark.parametrize("output", ["text", "json"])
def test_own_history_is_evaluated(table: Path, output: str) -> None:
    (table.parent / "notes.txt").write_text("not a table", encoding="utf-8")

    result = run("evaluate", "forecast", table.parent, "--horizon", "12h", "-o", output)

    assert result.exception is None
    assert "blend" in result.stdout


def test_one_file_can_be_evaluated_and_a_bad_one_is_named(table: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("nothing\n", encoding="utf-8")

    assert run("evaluate", "forecast", table, "--horizon", "12h").exception is None
    assert run("evaluate", "forecast", bad).exit_code == 2


@pytest.mark.needs_prometheus
def test_a_real_prometheus_is_asked_up_to_now(tmp_path: Path) -> None:
    now = int(time.time())
    samples = [
        f"disk_used_bytes {4e10 + 1e7 * at:.0f} {now - 300 * (576 - at)}" for at in range(577)
    ]
    text = "\n".join(["# TYPE disk_used_bytes gauge", *samples, "# EOF", ""])
    (tmp_path / "metrics.om").write_text(text, encoding="utf-8")
    words = ["tsdb", "create-blocks-from", "openmetrics"]
    blocks = [*words, str(tmp_path / "metrics.om"), str(tmp_path / "data")]
    subprocess.run([str(find("promtool")), *blocks], check=True, capture_output=True)
    port = free_port()
    server = started(tmp_path, tmp_path / "data", port)
    try:
        asyncio.run(until_ready(port))
        where = ("--prometheus", f"http://127.0.0.1:{port}", "--history", "2d")
        result = run("forecast", "disk_used_bytes", *where, "--horizon", "6h", "-o", "json")
    finally:
        server.terminate()
        server.wait(timeout=30)

    (one,) = json.loads(result.stdout)
    assert one["quantiles"][5][-1] == pytest.approx(4e10 + 1e7 * (576 + 72), rel=0.01)


def test_caps_events_and_regressors_come_from_options_and_small_files(
    table: Path, tmp_path: Path
) -> None:
    start = 1_700_006_400
    events = tmp_path / "events.csv"
    events.write_text(f"name,start,end\nbackup,{start + 360_000},{start + 370_000}\n")
    planned = tmp_path / "planned.csv"
    rows = [f"{start + 3600 * i},{i % 5}" for i in range(460)]
    planned.write_text("\n".join(["timestamp,jobs", *rows]) + "\n")

    result = run(
        "forecast", "used", "--file", table, "--horizon", "2d", "--floor", "0", "--cap", "61",
        "--events", events, "--regressor", planned, "-o", "json",
    )  # fmt: skip

    assert result.exception is None
    (one,) = json.loads(result.stdout)
    assert max(max(row) for row in one["quantiles"]) <= 61
    assert {"backup", "jobs"} <= set(one["parts"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cap", "50"), "past the cap"),
        (("--events", "none.csv"), "no such file"),
        (("--regressor", "none.csv"), "no such file"),
        (("--fleet", "--cap", "70"), "--cap"),
    ],
)
def test_what_is_known_wrongly_is_refused_with_a_way_out(
    table: Path, words: tuple[str, ...], said: str
) -> None:
    result = run("forecast", "used", "--file", table, *words)

    assert result.exit_code == 2
    assert said in result.output
