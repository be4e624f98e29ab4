"""What a sandbox costs to start: `/bin/true` confined, beside a plain process and bubblewrap.

    python bench/sandbox.py [--runs 200] [--bwrap PATH]

Each round runs all of them once, in turn, so that a busy moment hits all alike.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import quantiles

from opsmith.backends.sandbox.namespaces import KernelSandbox
from opsmith.seams.sandbox import Program

NOTHING = "/bin/true"
BWRAP = (
    *("--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/bin", "/bin"),
    *("--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--dir", "/scratch"),
    *("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", NOTHING),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--bwrap", default=shutil.which("bwrap"))
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.runs, chosen.bwrap))


async def measure(runs: int, bwrap: str | None) -> None:
    """Run everything in turn and print its percentiles."""
    sandbox = KernelSandbox()
    held = (await sandbox.run(Program(name="bench", argv=(NOTHING,)))).held

    async def confined() -> None:
        ran = await sandbox.run(Program(name="bench", argv=(NOTHING,)))
        assert ran.well, ran

    started: dict[str, Callable[[], Awaitable[None]]] = {
        "plain process": lambda: plain(NOTHING),
        "python -I -S -c pass": lambda: plain(sys.executable, "-I", "-S", "-c", "pass"),
        "opsmith sandbox": confined,
    }
    if bwrap:
        started["bubblewrap (no cgroup, seccomp, Landlock)"] = lambda: plain(bwrap, *BWRAP)
    took_ms: dict[str, list[float]] = {name: [] for name in started}
    for _ in range(runs):
        for name, start in started.items():
            began = time.perf_counter()
            await start()
            took_ms[name].append((time.perf_counter() - began) * 1000)
    print(f"{platform.platform()}, Python {platform.python_version()}, {runs} runs each")
    print(f"held by: {'; '.join(held)}")
    for name, each in took_ms.items():
        cut = quantiles(each, n=100)
        least, half, most = min(each), cut[49], cut[98]
        print(f"{name:<44} least {least:6.1f}   p50 {half:6.1f}   p99 {most:6.1f} ms")


async def plain(*words: str) -> None:
    """Run a program that ends well."""
    process = await asyncio.create_subprocess_exec(*words, stdin=subprocess.DEVNULL)
    assert await process.wait() == 0


if __name__ == "__main__":
    main()
