"""A lock on a file between processes: one alone, or many together."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opsmith.errors import Unreachable

# How long is waited for others: a bulk load of a hundred thousand nodes takes some seconds.
WAIT_S = 30.0
STEP_S = 0.01


@contextmanager
def locked(path: Path, *, alone: bool) -> Iterator[None]:
    """Hold the lock `path`. Raises `Unreachable` when others do not let go in time.

    The kernel frees it when its holder dies, so a killed process leaves nothing behind.
    """
    try:
        with path.open("a") as file:
            _take(file.fileno(), fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
    except PermissionError as error:
        raise Unreachable(f"The graph cannot be used: {error}.") from error


def _take(descriptor: int, kind: int) -> None:
    for _ in range(int(WAIT_S / STEP_S)):
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(STEP_S)
        else:
            return
    raise Unreachable(
        f"Another process has used the graph for {WAIT_S:.0f} s.", hint="Try again later."
    )
