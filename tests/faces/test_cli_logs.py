"""`opsmith logs`: search and tail over real files."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from opsmith.cli.main import opsmith

LINES = [
    '{"time": "2026-01-01T00:00:00Z", "level": "info", "msg": "up"}',
    '{"time": "2026-01-01T00:00:10Z", "level": "error", "msg": "order 7 failed \\u001b[31m"}',
    '{"time": "2026-01-01T00:00:20Z", "level": "error", "msg": "order 8 failed"}',
]
YEAR = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z"]


@pytest.fixture(autouse=True)
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path, file = tmp_path / "cart.log", tmp_path / "sources.yml"
    path.write_text("\n".join(LINES) + "\n")
    shop = {"name": "shop", "kind": "files", "paths": [str(path)]}
    gone = {"name": "gone", "kind": "loki", "url": "http://127.0.0.1:1", "retries": 0}
    file.write_text(yaml.safe_dump({"logs": [shop, gone]}))
    monkeypatch.setenv("OPSMITH_SOURCES_FILE", str(file))
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(opsmith, ["logs", "search", *words])


def test_records_are_found_and_what_was_not_searched_is_said() -> None:
    done = run("FAILED", "--service", "cart", "--level", "warn", *YEAR)

    assert done.exit_code == 0
    first, second = done.stdout.splitlines()
    assert first == "2026-01-01T00:00:10.000Z ERROR cart order 7 failed \ufffd[31m"
    assert second.endswith("order 8 failed")
    assert "not searched: gone: http://127.0.0.1:1 did not answer" in done.stderr


def test_json_is_one_object() -> None:
    told = json.loads(run(*YEAR, "--limit", "1", "-o", "json", "--source", "shop").stdout)

    assert told["missing"] == []
    assert told["lines"][0] == {
        "at": "2026-01-01T00:00:20Z",
        "level": "error",
        "service": "cart",
        "text": "order 8 failed",
        "trace_id": "",
        "source": told["lines"][0]["source"],
    }


def test_records_are_counted_by_template() -> None:
    done = run(*YEAR, "--templates", "--source", "shop")
    told = json.loads(run(*YEAR, "--templates", "--source", "shop", "-o", "json").stdout)

    assert "      1 cart up" in done.stdout
    assert sum(one["count"] for one in told["templates"]) == 3


def test_nothing_found_is_exit_code_1_and_no_server_3() -> None:
    assert run("nowhere", *YEAR, "--source", "shop").exit_code == 1
    assert run("nowhere", *YEAR, "--source", "gone").exit_code == 3


def test_usage_errors_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no time with a zone" in run("--from", "2026-01-01T00:00:00").stderr
    assert "no time with a zone" in run("--from", "yesterday").stderr
    assert "there are shop, gone" in run("--source", "other").stderr
    monkeypatch.delenv("OPSMITH_SOURCES_FILE")
    assert "OPSMITH_SOURCES_FILE" in run().stderr


def test_tail_prints_what_is_written(log: Path) -> None:
    words = [sys.executable, "-m", "opsmith", "logs", "tail", "--source", "shop", "-o", "json"]
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.2):
            with log.open("a") as file:
                file.write('{"msg": "new"}\n')

    writing = threading.Thread(target=write)
    writing.start()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, bufsize=1) as tail:
        try:
            assert tail.stdout is not None
            told = json.loads(tail.stdout.readline())
        finally:
            done.set()
            writing.join()
            tail.terminate()

    assert told["text"] == "new"
