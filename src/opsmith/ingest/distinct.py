"""Sketches of many values in little memory: how many distinct ones, and which were there before.

Sources: Flajolet et al., "HyperLogLog" (2007), with the estimator of Ertl, "New cardinality
estimation algorithms for HyperLogLog sketches" (2017), algorithm 6, which needs no correction
for small numbers; Bloom, "Space/time trade-offs in hash coding" (1970), with two hashes for all
after Kirsch & Mitzenmacher (2006).
"""

from __future__ import annotations

import math
from collections import Counter
from hashlib import blake2b

# 2^12 registers: 4 KiB a label.
PRECISION = 12
_HASH_BITS = 64
# alpha for ever more registers: 1 / (2 ln 2).
_ALPHA = 0.5 / math.log(2.0)


def stable_hash(value: str) -> int:
    """64 bits of a value, the same in every process."""
    return int.from_bytes(blake2b(value.encode("utf-8", "replace"), digest_size=8).digest())


class Distinct:
    """Counts distinct values; one standard error is `ERROR` of the true number."""

    ERROR = 1.04 / math.sqrt(2**PRECISION)

    def __init__(self) -> None:
        self._registers = bytearray(2**PRECISION)

    def add(self, hashed: int) -> None:
        """Take one value by its 64-bit hash."""
        row = hashed >> (_HASH_BITS - PRECISION)
        rest = hashed & ((1 << (_HASH_BITS - PRECISION)) - 1)
        rank = _HASH_BITS - PRECISION - rest.bit_length() + 1
        self._registers[row] = max(self._registers[row], rank)

    def count(self) -> float:
        """The estimate.

        >>> sketch = Distinct()
        >>> for number in range(1000):
        ...     sketch.add(stable_hash(f"v{number}"))
        >>> abs(sketch.count() / 1000 - 1) < 3 * Distinct.ERROR
        True
        """
        m, deepest = len(self._registers), _HASH_BITS - PRECISION
        held = Counter(self._registers)
        z = m * _tau(1.0 - held[deepest + 1] / m)
        for rank in range(deepest, 0, -1):
            z = 0.5 * (z + held[rank])
        z += m * _sigma(held[0] / m)
        return _ALPHA * m * m / z if z else math.inf


class Bloom:
    """Remembers values; says of a new one with the chance `error` that it was there."""

    def __init__(self, *, most: int, error: float) -> None:
        # A tenth more than Bloom's formula: two hashes for all err a little oftener.
        self._bits = max(64, math.ceil(-1.1 * most * math.log(error) / math.log(2.0) ** 2))
        self._hashes = max(1, round(self._bits / most * math.log(2.0)))
        self._filter = bytearray(self._bits // 8 + 1)

    def add(self, hashed: int) -> None:
        """Remember one value by its 64-bit hash."""
        for place in self._places(hashed):
            self._filter[place >> 3] |= 1 << (place & 7)

    def __contains__(self, hashed: int) -> bool:
        return all(self._filter[place >> 3] & (1 << (place & 7)) for place in self._places(hashed))

    def _places(self, hashed: int) -> list[int]:
        first, second = hashed >> 32, hashed & 0xFFFFFFFF | 1
        return [(first + turn * second) % self._bits for turn in range(self._hashes)]


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    if x in {0.0, 1.0}:
        return 0.0
    y, z, before = 1.0, 1.0 - x, -1.0
    while z != before:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1.0 - x) ** 2 * y
    return z / 3.0
