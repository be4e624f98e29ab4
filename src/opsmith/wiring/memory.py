"""Memory: what a burst of work took goes back to the system, so that idling stays small."""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# mallopt(3): M_ARENA_MAX. Each thread that allocates would else keep a heap of its own.
_ARENA_MAX = -8
_ARENAS = 2
# madvise(2): the pages are let go of and, of a file, read again from it when they are needed.
_DONT_NEED = 4
# Machine code that is run now and then: the compiler's, once a kernel is loaded, and that of the
# graph's database, once an incident is written down.
_SELDOM_RUN = re.compile(r" r-xp .*/(libllvmlite|_lbug)[^/]*\.so$")
# After so many new objects the youngest are looked through, after so many of these rounds the
# young; both take some milliseconds at the most.
_YOUNGEST, _YOUNG = 5_000, 10
_NEVER = 1_000_000


def _libc() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("c")
    library = ctypes.CDLL(name) if name else None
    return library if library is not None and hasattr(library, "malloc_trim") else None


_LIBC = _libc()


def stay_small() -> None:
    """Let threads share heaps; call once, before any is started. Without glibc nothing happens.

    What was made so far is no garbage and is not looked through again. Rounds through all that
    lives are left to `tidy`: with 25,000 alerts known one takes 100 ms, in which no request is
    answered, and a storm would bring one after another.
    """
    if _LIBC is not None:
        _LIBC.mallopt(_ARENA_MAX, _ARENAS)
    gc.freeze()
    gc.set_threshold(_YOUNGEST, _YOUNG, _NEVER)
    gc.enable()


async def tidy() -> None:
    """One round through all that lives, for what refers to itself; call now and then."""
    gc.collect()


def give_back() -> None:
    """Return freed memory, and code that is seldom run, to the system; some milliseconds."""
    if _LIBC is None:
        return
    _LIBC.malloc_trim(0)
    for start, size in _seldom_run():
        _LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _DONT_NEED)


def _seldom_run() -> Iterator[tuple[int, int]]:
    """Start and size of the code, never written, that is seldom run. Source: proc(5), maps."""
    with suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            if _SELDOM_RUN.search(line):
                start, end = (int(part, 16) for part in line.partition(" ")[0].split("-"))
                yield start, end - start
