"""The promises of every sandbox: a program is served as it asked, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from uuid import uuid4

from opsmith.errors import BadInput
from opsmith.seams.sandbox import MEBIBYTE, Ending, Limits, Program, Sandbox


def _python_of_the_system() -> str:
    """An interpreter that a program inside can see; one in a home folder is not."""
    candidates = (
        Path(sys.executable).resolve(),
        Path("/usr/bin/python3"),
        Path("/usr/local/bin/python3"),
    )
    return next(str(one) for one in candidates if one.exists() and one.is_relative_to("/usr"))


PYTHON = _python_of_the_system()


async def check_arguments_and_input_arrive_as_they_are(sandbox: Sandbox) -> None:
    content = b"x\0y"
    words = ("a b", "$(touch /tmp/x)", "--", "-rf", "\n", "密码", "'\"`;|&")
    code = "import sys; print(sys.argv[1:], sys.stdin.buffer.read())"
    ran = await sandbox.run(_python(code, *words, stdin=content))

    assert ran.well, ran
    assert ran.output == f"{list(words)} {content!r}\n"


async def check_only_the_given_environment_is_there(sandbox: Sandbox) -> None:
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    ran = await sandbox.run(_python(code, environment={"STAGE": "eu"}))

    assert ran.output == "['STAGE']\n"


async def check_a_file_that_is_given_runs_and_stays_as_it_is(sandbox: Sandbox) -> None:
    script = b"#!/bin/sh\n(echo more >> $0) 2>/dev/null\ncat $0\n"
    ran = await sandbox.run(Program(name="script", argv=("/script/one",), files={"one": script}))

    assert ran.output.encode() == script


async def check_the_exit_code_is_told(sandbox: Sandbox) -> None:
    ran = await sandbox.run(_python("raise SystemExit(7)"))

    assert (ran.ending, ran.code, ran.well) == (Ending.EXITED, 7, False)


async def check_the_end_of_a_long_output_is_kept(sandbox: Sandbox) -> None:
    code = "import sys; print('first', file=sys.stderr); [print(n) for n in range(100_000)]"
    ran = await sandbox.run(_python(code))

    assert ran.output.endswith("99998\n99999\n")
    assert len(ran.output) == Limits().log_bytes
    assert ran.output_bytes > MEBIBYTE // 2


async def check_a_program_that_is_not_there_is_said(sandbox: Sandbox) -> None:
    try:
        await sandbox.run(Program(name="absent", argv=("/usr/bin/absent",)))
    except BadInput as error:
        assert "absent" in str(error)  # noqa: PT017 - pytest is not shipped
    else:
        raise AssertionError("it ran")


async def check_a_cancelled_run_leaves_nothing(sandbox: Sandbox) -> None:
    token = uuid4().hex
    running = asyncio.create_task(sandbox.run(_python("import time; time.sleep(600)", token)))
    for _ in range(500):
        if living(token):
            break
        await asyncio.sleep(0.02)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
    assert living(token) == []


async def check_the_mechanisms_are_named(sandbox: Sandbox) -> None:
    ran = await sandbox.run(_python("pass"))

    held = "; ".join(ran.held)
    assert "cgroup v" in held
    assert "namespaces (user, pid, mount, net, ipc, uts, cgroup)" in held
    assert "seccomp" in held
    assert "no new privileges" in held


SANDBOX_CHECKS: list[Callable[[Sandbox], Awaitable[None]]] = [
    check_arguments_and_input_arrive_as_they_are,
    check_only_the_given_environment_is_there,
    check_a_file_that_is_given_runs_and_stays_as_it_is,
    check_the_exit_code_is_told,
    check_the_end_of_a_long_output_is_kept,
    check_a_program_that_is_not_there_is_said,
    check_a_cancelled_run_leaves_nothing,
    check_the_mechanisms_are_named,
]


def _python(
    code: str,
    *words: str,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> Program:
    return Program(
        name="python",
        argv=(PYTHON, "-c", code, *words),
        stdin=stdin,
        environment=environment or {},
    )


def living(token: str) -> list[str]:
    """Command lines of processes of this host, but this one, that hold `token`."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            line = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if token.encode() in line:
            found.append(line.decode(errors="replace"))
    return found
