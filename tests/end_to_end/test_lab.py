import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.needs_prometheus]


def opsmith(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "opsmith", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)


def processes_of(data: Path) -> list[str]:
    return [
        " ".join(process.info["cmdline"] or [])
        for process in psutil.process_iter(["cmdline"])
        if str(data) in " ".join(process.info["cmdline"] or [])
    ]


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "lab"
    yield folder
    opsmith("lab", "down", "--data", folder)


def test_a_fault_in_the_real_shop_is_recorded_and_found_and_nothing_is_left(
    data: Path, tmp_path: Path
) -> None:
    bundle, truth = tmp_path / "incident", tmp_path / "truth.jsonl"

    up = opsmith("lab", "up", "--rps", "6", "--seed", "5", "--scrape", "2", "--data", data)
    assert up.returncode == 0, up.stderr
    fault = opsmith("lab", "fault", "bad-deploy", "--after", "45", "--for", "30", "--data", data)
    assert fault.returncode == 0, fault.stderr
    record = opsmith("lab", "record", bundle, "--truth", truth, "--data", data)
    assert record.returncode == 0, record.stderr

    known = json.loads(truth.read_text())
    assert known["entity"] == "service:catalogue"
    assert "ShopErrorsHigh" in (bundle / "alerts.json").read_text()
    assert not (bundle / truth.name).exists()
    checked = opsmith("bundle", "check", bundle)
    assert "usable" in checked.stdout, checked.stdout + checked.stderr
    found = json.loads(opsmith("investigate", bundle, "-o", "json").stdout)
    assert found["causes"][0]["entity"] == known["entity"]
    assert found["path"] == known["path"]

    down = opsmith("lab", "down", "--data", data)
    assert down.returncode == 0, down.stderr
    assert not data.exists()
    assert processes_of(data) == []
