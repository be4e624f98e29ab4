"""Tasks under kill -9 of workers, the server and whoever puts them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "task_queue.py"


@pytest.mark.slow
@pytest.mark.needs_valkey
def test_whoever_is_killed_no_task_is_lost_and_each_key_is_done_once() -> None:
    words = [sys.executable, str(BENCH), "deaths", "600", "--deaths", "9"]
    told = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    assert (told["lost"], told["dead"], told["effects"]) == (0, 0, 600)
    assert min(told["killed"].values()) > 0
