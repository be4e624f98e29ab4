"""Every sandbox keeps the promises, and holds every hostile program."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hostile.suite import BITING, PROGRAMS, SUITE, Hostile, arguments, bait, check_held

from opsmith.backends.sandbox.namespaces import KernelSandbox
from opsmith.seams.sandbox import Sandbox
from opsmith.testing.sandbox import PYTHON, SANDBOX_CHECKS

pytestmark = pytest.mark.needs_sandbox


@pytest.mark.parametrize("check", SANDBOX_CHECKS, ids=lambda check: check.__name__)
async def test_a_sandbox_keeps_its_promises(check: Callable[[Sandbox], Awaitable[None]]) -> None:
    await check(KernelSandbox())


@pytest.mark.parametrize("hostile", SUITE, ids=lambda one: one.name)
async def test_a_hostile_program_is_held(hostile: Hostile, open_folder: Path) -> None:
    await check_held(KernelSandbox(), hostile, open_folder)


@pytest.mark.parametrize("name", BITING)
async def test_an_attack_bites_where_nothing_holds_it(name: str, open_folder: Path) -> None:
    async with bait(open_folder) as lying:
        program = str(PROGRAMS / "hostile.py")
        run = await asyncio.create_subprocess_exec(
            PYTHON, "-B", program, name, *arguments(lying), stdout=asyncio.subprocess.PIPE
        )
        said = (await run.communicate())[0]

    assert b"ESCAPED" in said


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that every user may enter, so that only the sandbox keeps a program out."""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    return tmp_path
