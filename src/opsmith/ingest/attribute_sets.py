"""Attribute sets: spans share few sets of telling attributes; names of one call are left out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.redaction import redact_pairs

# A key with more values than this names single requests, users or statements rather than states.
MOST_VALUES_OF_A_KEY = 64
MOST_SETS = 1_000_000

Pairs = tuple[tuple[str, str], ...]


class AttributeSets:
    """Numbers each distinct set of attributes, 0 for the empty one."""

    def __init__(self) -> None:
        self._numbers: dict[Pairs, int] = {(): 0}
        # The pairs as they came, so that the next span like this one is not looked into again.
        self._seen: dict[Pairs, int] = {}
        self._values: dict[str, set[str]] = {}
        self._crowded: set[str] = set()

    def number(self, attributes: Mapping[str, str]) -> int:
        """The number of this set; keys with too many values are left out from then on."""
        pairs = tuple([pair for pair in attributes.items() if pair[0] not in self._crowded])
        number = self._seen.get(pairs)
        if number is None:
            number = self._seen[pairs] = self._new(pairs)
        return number

    def _new(self, pairs: Pairs) -> int:
        for key, value in pairs:
            values = self._values.setdefault(key, set())
            values.add(value)
            if len(values) > MOST_VALUES_OF_A_KEY:
                self._crowded.add(key)
        kept = tuple(sorted(pair for pair in pairs if pair[0] not in self._crowded))
        if kept in self._numbers or len(self._numbers) < MOST_SETS:
            return self._numbers.setdefault(kept, len(self._numbers))
        return 0

    def finished(self, numbers: NDArray[np.int32]) -> tuple[NDArray[np.int32], tuple[Pairs, ...]]:
        """Numbers and sets with the crowded keys left out of all, and secrets out of values."""
        final: dict[Pairs, int] = {(): 0}
        renumbered = np.zeros(len(self._numbers), dtype=np.int32)
        for pairs, number in self._numbers.items():
            kept = redact_pairs(pair for pair in pairs if pair[0] not in self._crowded)
            renumbered[number] = final.setdefault(kept, len(final))
        return renumbered[numbers], tuple(final)
