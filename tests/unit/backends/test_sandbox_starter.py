"""The process that forks launchers: it knows nothing, is replaced when killed, and is not left."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from opsmith.backends.sandbox import namespaces
from opsmith.backends.sandbox.namespaces import KernelSandbox
from opsmith.backends.sandbox.starter import Starter
from opsmith.errors import NotBegun
from opsmith.seams.sandbox import Ending, Program

pytestmark = pytest.mark.needs_sandbox
NOTHING = Program(name="nothing", argv=("/bin/true",))
ENDS = """
    import asyncio
    from opsmith.backends.sandbox import namespaces
    from opsmith.seams.sandbox import Program
    nothing = Program(name="nothing", argv=("/bin/true",))
    assert asyncio.run(namespaces.KernelSandbox().run(nothing)).well
    print(namespaces._STARTER._process.pid, flush=True)
"""


@pytest.fixture
def starter(monkeypatch: pytest.MonkeyPatch) -> Starter:
    """One of this test's own."""
    own = Starter()
    monkeypatch.setattr(namespaces, "_STARTER", own)
    return own


def pid_of(starter: Starter) -> int:
    assert starter._process is not None  # noqa: SLF001 - the process is what is looked at
    return starter._process.pid  # noqa: SLF001


async def test_it_has_no_environment_and_no_handle_but_its_line(starter: Starter) -> None:
    os.environ["SECRET_OF_TEST"] = "s3cret"
    kept = os.memfd_create("kept", 0)  # one that a child would inherit
    os.set_inheritable(kept, True)  # noqa: FBT003 - as the standard library has it

    assert (await KernelSandbox().run(NOTHING)).well

    proc = Path("/proc") / str(pid_of(starter))
    handles = sorted(str(one.readlink()).partition(":")[0] for one in (proc / "fd").iterdir())
    assert (proc / "environ").read_bytes() == b""
    assert handles == [*["/dev/null"] * 3, "socket"]
    os.close(kept)
    starter.close()


async def test_one_that_was_killed_is_replaced(starter: Starter) -> None:
    assert (await KernelSandbox().run(NOTHING)).well
    first = pid_of(starter)
    os.kill(first, signal.SIGKILL)
    starter._process.wait()  # type: ignore[union-attr]  # noqa: SLF001

    assert (await KernelSandbox().run(NOTHING)).well

    assert pid_of(starter) != first
    starter.close()


async def test_runs_at_once_do_not_mix(starter: Starter) -> None:
    programs = [
        Program(name=f"n{n}", argv=("/bin/sh", "-c", f"cat; echo {n}; exit {n}"), stdin=b"%d " % n)
        for n in range(8)
    ]

    ran = await asyncio.gather(*(KernelSandbox().run(one) for one in programs))

    assert [(one.code, one.output) for one in ran] == [(n, f"{n} {n}\n") for n in range(8)]
    starter.close()


async def test_a_program_reads_its_input_again_and_cannot_change_it(starter: Starter) -> None:
    script = "cat /dev/stdin; cat /proc/self/fd/0; echo x > /dev/stdin || exit 3"
    ran = await KernelSandbox().run(
        Program(name="reads", argv=("/bin/sh", "-c", script), stdin=b"once ")
    )

    assert ran.output.startswith("once once ")
    assert (ran.ending, ran.code) == (Ending.EXITED, 3)
    starter.close()


def test_it_ends_with_the_process_that_it_starts_for() -> None:
    for end in ("", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"):
        script = textwrap.dedent(ENDS) + end
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
        folder = Path("/proc") / ran.stdout.decode().strip()
        until = time.monotonic() + 20
        while folder.exists() and "Z" not in (folder / "stat").read_text().split()[2]:
            assert time.monotonic() < until, "it was left behind"
            time.sleep(0.02)


async def test_one_that_cannot_begin_is_told(
    starter: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsmith.backends.sandbox.starter._START", "raise SystemExit(1)")

    with pytest.raises(NotBegun, match="without a word"):
        await KernelSandbox().run(NOTHING)
    starter.close()
