"""work: computation that takes a stated processor time on whatever host the shop runs."""

from __future__ import annotations

import asyncio
import hashlib
import time
from functools import cache

# A slice between two looks at what else waits: as long as Python's own switch interval.
SLICE_S = 0.005
TRIAL_ROUNDS = 2000


async def compute(cpu_s: float) -> None:
    """Compute for `cpu_s` seconds of processor time, giving way now and then."""
    left_s = cpu_s
    while left_s > 0.0:
        _derive(int(min(left_s, SLICE_S) * rounds_a_second()) + 1)
        left_s -= SLICE_S
        await asyncio.sleep(0)


@cache
def rounds_a_second() -> float:
    """How many rounds of a key derivation this host computes in a second; the best of three."""
    best_s = min(_timed() for _ in range(3))
    return TRIAL_ROUNDS / best_s


def _timed() -> float:
    began_s = time.thread_time()
    _derive(TRIAL_ROUNDS)
    return max(time.thread_time() - began_s, 1e-5)


def _derive(rounds: int) -> None:
    hashlib.pbkdf2_hmac("sha256", b"page", b"lab", rounds)
