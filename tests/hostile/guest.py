"""The hostile suite and the promises, run in a virtual machine that has nothing but Python.

Run as `python guest.py root|ordinary`; a line for each, and 1 when one was not kept.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import traceback
from collections.abc import Awaitable
from pathlib import Path

sys.path.insert(0, "/guest")

from hostile.suite import SUITE, check_held
from opsmith.backends.sandbox.namespaces import KernelSandbox
from opsmith.seams.sandbox import Program
from opsmith.testing.sandbox import SANDBOX_CHECKS

GROUP = Path("/sys/fs/cgroup/handed-down")
ORDINARY = 1000
# What differs when not root but a user namespace made the walls.
ORDINARY_SUITE = (
    "fork_bomb",
    "memory_bomb",
    "loud_daemon",
    "write_cgroup",
    "look_into_others",
    "mounts",
    "tcp",
    "dot_dot",
    "signals",
    "become_root",
    "nested_namespaces",
    "secrets",
    "devices",
    "own_mount",
)
# As many run beside each other as wait for their deadlines anyway.
AT_ONCE = 3
# An emulated processor is some ten times slower.
PATIENCE = 6.0


def become_ordinary() -> None:
    """A user with a group of their own, as `systemd-run --user --scope -p Delegate=yes` gives."""
    own = GROUP / "own"
    own.mkdir(parents=True, exist_ok=True)
    for place in (GROUP, own):
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(place / name, ORDINARY, ORDINARY)
    (own / "cgroup.procs").write_text("0")
    os.setgroups([])
    os.setgid(ORDINARY)
    os.setuid(ORDINARY)


async def main() -> int:
    sandbox = KernelSandbox()
    told = await sandbox.run(Program(name="nothing", argv=("/bin/true",)))
    print("held by", "; ".join(told.held), flush=True)
    if "cgroup v2" not in told.held[0]:
        return 1
    places = asyncio.Semaphore(AT_ONCE)

    async def kept(name: str, check: Awaitable[object]) -> bool:
        async with places:
            try:
                await check
            except Exception:
                print("broken", name, traceback.format_exc(), flush=True)
                return False
        print("kept", name, flush=True)
        return True

    checks: list[tuple[str, Awaitable[object]]] = [
        (one.__name__, one(sandbox)) for one in SANDBOX_CHECKS
    ]
    suite = SUITE if os.geteuid() == 0 else [one for one in SUITE if one.name in ORDINARY_SUITE]
    checks += [
        (one.name, check_held(sandbox, one, Path(tempfile.mkdtemp()), patience=PATIENCE))
        for one in suite
    ]
    found = await asyncio.gather(*(kept(*one) for one in checks))
    left = [one.name for one in GROUP.parent.glob("**/opsmith-*")]
    print(sum(found), "of", len(found), "kept; groups left:", left, flush=True)
    return 0 if all(found) and not left else 1


if __name__ == "__main__":
    if sys.argv[1] == "ordinary":
        become_ordinary()
    raise SystemExit(asyncio.run(main()))
