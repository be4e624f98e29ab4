import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from opsmith_lab.governor import Governor, cpu_seconds, resident_bytes

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
    before, started = cpu_seconds(child.pid) or 0.0, time.monotonic()
    time.sleep(3)
    used = (cpu_seconds(child.pid) or 0.0) - before
    lasted = time.monotonic() - started
    governor.drop("shop")
    child.kill()
    child.wait()

    assert used / lasted < 0.35  # the quota, and the tick by which it can be overrun
    assert governor.totals["shop"].throttled_periods > 10
    assert governor.totals["shop"].cpu_s == pytest.approx(used + before, abs=0.2)


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
