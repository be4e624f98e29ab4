"""Every queue keeps every promise."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from opsmith.errors import Unreachable
from opsmith.nouns.job import Lease
from opsmith.seams.queue import Queue
from opsmith.settings import Settings, load
from opsmith.testing import queue_promises as promises
from opsmith.testing.queue import LEASE, MemoryQueue
from opsmith.testing.queue_promises import a_job
from opsmith.wiring.queue import open_queue
from promises.real_valkey import PASSWORD, valkey_server

REAL = [pytest.param(name, marks=pytest.mark.needs_valkey) for name in ("embedded", "url")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as found:
        yield found


@pytest.fixture(params=["memory", *REAL])
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Callable[[int], Queue]]:
    made: list[Queue] = []

    def make(per_tenant: int) -> Queue:
        settings = load({"OPSMITH_DATA_DIR": str(tmp_path)})
        if request.param == "memory":
            made.append(MemoryQueue(per_tenant=per_tenant))
        else:
            if request.param == "url":
                url = f"redis://{request.getfixturevalue('address')}/0"
                settings = replace(settings, queue_url=url, queue_password=PASSWORD)
            made.append(open_queue(settings, lease=LEASE, per_tenant=per_tenant))
        return made[-1]

    yield make
    for one in made:
        if request.param == "url":
            await one._wire.raw("FLUSHALL")  # type: ignore[attr-defined]  # noqa: SLF001
        await one.aclose()


@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
async def test_a_queue_keeps_its_promise(
    check: Callable[[Queue], Awaitable[None]], opened: Callable[[int], Queue]
) -> None:
    await check(opened(0))


async def test_a_queue_keeps_to_the_limit_of_a_tenant(
    opened: Callable[[int], Queue],
) -> None:
    await promises.check_a_tenant_has_no_more_than_two_at_once(opened(2))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"OPSMITH_DATA_DIR": str(tmp_path / ("a folder" * 12))})


@pytest.mark.needs_valkey
async def test_the_embedded_server_ends_with_its_last_user_and_forgets_nothing(
    settings: Settings,
) -> None:
    first, second = open_queue(settings), open_queue(settings)
    await first.put([a_job("a")])
    pid = server_of(settings)

    await first.aclose()
    assert await second.look("a")
    await second.aclose()

    await gone(pid)
    third = open_queue(settings)
    assert [lease.job.id for lease in await claimed(third)] == ["a"]
    await third.aclose()


@pytest.mark.needs_valkey
async def test_a_killed_server_is_started_again_and_forgets_nothing(settings: Settings) -> None:
    queue = open_queue(settings)
    await queue.put([a_job(f"j{number}") for number in range(100)])

    os.kill(server_of(settings), signal.SIGKILL)

    lent = await queue.claim("w", most=200, wait=timedelta(0))
    assert len(lent) == 100
    await queue.aclose()


@pytest.mark.needs_valkey
async def test_only_this_user_can_open_the_embedded_server(settings: Settings) -> None:
    queue = open_queue(settings)

    assert (settings.data_dir / "queue").stat().st_mode & 0o077 == 0

    await queue.aclose()


async def test_a_server_that_is_not_there_is_told(settings: Settings) -> None:
    queue = open_queue(replace(settings, queue_url="redis://127.0.0.1:1/0"))

    with pytest.raises(Unreachable, match="does not answer"):
        await queue.put([a_job("a")])
    await queue.aclose()


@pytest.mark.needs_valkey
async def test_a_wrong_password_is_told_without_saying_it(
    settings: Settings, address: str
) -> None:
    url = f"redis://{address}/0"
    queue = open_queue(replace(settings, queue_url=url, queue_password="wrong word"))

    with pytest.raises(Unreachable) as told:
        await queue.put([a_job("a")])
    assert "wrong word" not in str(told.value)
    await queue.aclose()


async def claimed(queue: Queue) -> tuple[Lease, ...]:
    return await queue.claim("w", most=10, wait=timedelta(seconds=1))


def server_of(settings: Settings) -> int:
    """The pid of the embedded server: the one whose folder this is."""
    folder = settings.data_dir / "queue"
    for entry in Path("/proc").iterdir():
        try:
            same = entry.name.isdecimal() and (entry / "cwd").readlink() == folder
        except OSError:
            continue
        if same:
            return int(entry.name)
    raise AssertionError("no server")


async def gone(pid: int) -> None:
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(pid)


@pytest.mark.needs_valkey
async def test_workers_that_went_away_are_forgotten(settings: Settings) -> None:
    queue = open_queue(settings, lease=timedelta(milliseconds=50))
    for number in range(5):
        await queue.claim(f"gone{number}", most=1, wait=timedelta(0))
    await asyncio.sleep(0.6)

    await queue.claim("here", most=1, wait=timedelta(0))

    known = await queue._wire.raw(  # type: ignore[attr-defined]  # noqa: SLF001
        "XINFO", "CONSUMERS", "{opsmith}:stream:high", "workers"
    )
    assert [one[1] for one in known] == [b"here"]
    await queue.aclose()
