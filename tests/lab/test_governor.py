import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from opsmith_lab.governor import PERIOD_S, Governor, cpu_seconds, resident_bytes

BURN = "while True: pass"
GROW = "import time; kept = bytearray(b'x') * (300 * 2**20); time.sleep(60)"


@pytest.fixture
def governor() -> Iterator[Governor]:
    governor = Governor()
    governor.start()
    yield governor
    governor.stop()


def process(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code])


@pytest.mark.slow
def test_a_process_computes_within_its_quota_and_the_rest_of_the_time_is_stopped(
    governor: Governor,
) -> None:
    child = process(BURN)
    governor.put("shop", child.pid, cores=0.2, limit_bytes=2**40)
    governor.accounts["shop"].credit_s = 0.0
    totals = governor.totals["shop"]
    deadline = time.monotonic() + 60
    while totals.throttled_periods < 10 and time.monotonic() < deadline:
        time.sleep(0.1)
    used, allowed = totals.cpu_s, 0.2 * PERIOD_S * (totals.periods + 1)
    governor.drop("shop")
    child.kill()
    child.wait()

    assert totals.throttled_periods >= 10
    # A busy machine may look at the process late, and what it took then is charged afterwards.
    assert used < allowed + 0.5


def test_a_process_above_its_memory_limit_is_killed(governor: Governor) -> None:
    child = process(GROW)
    governor.put("shop", child.pid, cores=2, limit_bytes=200 * 2**20)

    assert child.wait(timeout=30) == -9
    assert governor.totals["shop"].killed == 1


def test_a_process_that_is_gone_used_nothing() -> None:
    child = process("pass")
    child.wait()

    assert cpu_seconds(child.pid) is None
    assert resident_bytes(child.pid) == 0
