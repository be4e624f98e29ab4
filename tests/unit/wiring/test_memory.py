"""Memory that goes back to the system."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from opsmith.numerics.compiled import kernel
from opsmith.wiring.memory import give_back


@kernel
def doubled(x: float) -> float:
    return 2.0 * x


def compiler_kb() -> int:
    """Resident code of the compiler's library."""
    return sum(_resident(Path("/proc/self/smaps").read_text().splitlines()))


def _resident(lines: list[str]) -> Iterator[int]:
    counts = False
    for line in lines:
        words = line.split()
        if "-" in words[0]:
            counts = line.endswith("/libllvmlite.so") and words[1] == "r-xp"
        elif counts and words[0] == "Rss:":
            yield int(words[1])


def test_the_compilers_pages_go_back_and_come_again_when_it_is_needed() -> None:
    doubled(1.0)
    before = compiler_kb()

    give_back()

    assert compiler_kb() < before
    assert doubled(np.float32(1.5)) == 3.0  # another type: compiled anew
