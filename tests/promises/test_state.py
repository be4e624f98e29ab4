"""Every state store keeps every promise."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from opsmith.backends.state.files import FileStates
from opsmith.errors import HouseError, Unreachable
from opsmith.seams.state import StateStore
from opsmith.testing import state as promises


@pytest.fixture(params=["memory", "files"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> StateStore:
    return promises.MemoryStates() if request.param == "memory" else FileStates(tmp_path / "new")


@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
async def test_a_state_store_keeps_its_promise(
    check: Callable[[StateStore], Awaitable[None]], store: StateStore
) -> None:
    await check(store)


async def test_a_damaged_file_is_not_handed_out(tmp_path: Path) -> None:
    store = FileStates(tmp_path)
    await store.save("fleet", b"x" * 100)
    path = tmp_path / "fleet.state"
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    with pytest.raises(HouseError):
        await store.load("fleet")


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FileStates(tmp_path / "file")

    with pytest.raises(Unreachable):
        await store.save("fleet", b"")
    with pytest.raises(Unreachable):
        await store.load("fleet")


def test_a_failed_write_leaves_the_old_state_and_no_litter(tmp_path: Path) -> None:
    store = FileStates(tmp_path)
    (tmp_path / "fleet.state").mkdir()

    with pytest.raises(Unreachable):
        asyncio.run(store.save("fleet", b"new"))

    assert [path.name for path in tmp_path.iterdir()] == ["fleet.state"]
