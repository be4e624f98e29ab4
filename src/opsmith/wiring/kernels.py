"""Kernels: compiled in a process of their own, which takes what that leaves behind along."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

import numpy as np

from opsmith.detect.fleet import Fleet
from opsmith.forecast.predict import forecast
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit

_CALL = "from opsmith.wiring.kernels import compile_all; compile_all()"


async def compiled_elsewhere() -> None:
    """Have the kernels of a watcher compiled where that was not done yet.

    Compiling leaves 90 MB behind in the process that does it; loading what was compiled does not.
    What keeps the other process from it keeps nobody from watching.
    """
    with suppress(OSError):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _CALL),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()


def compile_all() -> None:
    """Compile, or find compiled, what detecting and looking ahead run."""
    fleet = Fleet()
    row = fleet.row("warm")
    fleet.take(np.array([row]), np.array([[0.0, 1.0]]))
    at = 60.0 * np.arange(200, dtype=np.float64)
    waves = Series(
        name="warm",
        labels=(),
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=MetricKind.GAUGE,
        times_s=at,
        values=10.0 + np.sin(at / 900.0),
    )
    forecast(waves, horizon_s=1200.0, without=frozenset(("gaussian process",)))
