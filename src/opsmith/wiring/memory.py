"""Memory: what a burst of work took goes back to the system, so that idling stays small."""

from __future__ import annotations

import ctypes
import ctypes.util

# mallopt(3): M_ARENA_MAX. Each thread that allocates would else keep a heap of its own.
_ARENA_MAX = -8
_ARENAS = 2


def _libc() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("c")
    library = ctypes.CDLL(name) if name else None
    return library if library is not None and hasattr(library, "malloc_trim") else None


_LIBC = _libc()


def stay_small() -> None:
    """Let threads share heaps; call once, before any is started. Without glibc nothing happens."""
    if _LIBC is not None:
        _LIBC.mallopt(_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Return freed memory to the system; some milliseconds."""
    if _LIBC is not None:
        _LIBC.malloc_trim(0)
