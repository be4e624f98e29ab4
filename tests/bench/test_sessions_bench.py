"""Sessions under kill -9: no promised turn is lost, none is half-written."""

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "sessions.py"


def test_a_killed_writer_leaves_every_promised_turn_and_no_half_of_one() -> None:
    words = [sys.executable, str(BENCH), "--turns", "128", "--kills", "3", "-o", "json"]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout

    assert '"turns_lost": 0' in told
    assert '"turns_broken": 0' in told
    assert '"turns_promised": 0' not in told
