"""The ledger in a real PostgreSQL: several writers, kills, lost answers, wrong servers."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Self

import psycopg
import pytest
from promises.real_postgres import Server, postgres

from opsmith.backends.ledger.postgres import PostgresLedger
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.errors import AskError, BadInput, HouseError, Unreachable
from opsmith.nouns.record import Entry
from opsmith.seams.ledger import Wanted
from opsmith.testing.ledger import NOON, entry

pytestmark = pytest.mark.needs_postgres


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("postgres") / "data") as running:
        yield running


@pytest.fixture
def url(server: Server) -> str:
    return server.fresh(f"l{secrets.token_hex(6)}")


@asynccontextmanager
async def ledger_at(url: str) -> AsyncIterator[PostgresLedger]:
    ledger = PostgresLedger(url)
    try:
        yield ledger
    finally:
        await asyncio.to_thread(ledger.close)


def edit(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as line:
        line.execute(statement)


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("UPDATE opsmith.record SET body = '{}' WHERE seq = 3", 3),
        (r"UPDATE opsmith.record SET body = '\xff' WHERE seq = 3", 3),
        ("UPDATE opsmith.record SET at_ms = at_ms + 1 WHERE seq = 2", 2),
        ("DELETE FROM opsmith.record WHERE seq = 2", 2),
        ("DELETE FROM opsmith.record WHERE seq >= 4", 4),
        ("UPDATE opsmith.mark SET seq = 4 WHERE name = 'head'", 5),
        ("UPDATE opsmith.latest SET body = '{}' WHERE seq = 4", 4),
    ],
)
async def test_what_was_changed_behind_its_back_is_named(
    url: str, statement: str, first_bad: int
) -> None:
    async with ledger_at(url) as ledger:
        await ledger.append([entry(n) for n in range(1, 6)], durable=True)

        edit(url, statement)

        assert (await ledger.verify()).broken_at == first_bad


async def test_writers_in_two_handles_make_one_chain(url: str) -> None:
    async with ledger_at(url) as one, ledger_at(url) as two:
        await asyncio.gather(
            *(ledger.append([entry(n)], durable=False) for n in range(40) for ledger in (one, two))
        )

        assert (await one.verify()).checked == 80
        assert (await two.verify()).whole


async def test_a_subject_of_any_length_is_found_again(url: str) -> None:
    long = Entry(kind="log", subject="很长" * 5_000, body="{}", at=NOON)

    async with ledger_at(url) as ledger:
        await ledger.append([long], durable=True)

        (found,) = await ledger.read(Wanted(kind="log", subject=long.subject, latest=True))
        assert found.entry == long


async def test_people_read_it_with_psql(url: str) -> None:
    async with ledger_at(url) as ledger:
        await ledger.append(
            [
                Entry(kind="log", subject="结账", body='{"a":1}', at=NOON),
                Entry(kind="log", subject="odd", body="a\x00b", at=NOON),
            ],
            durable=True,
        )

    with psycopg.connect(url) as line:
        rows = line.execute("SELECT subject, body FROM opsmith.shown_record").fetchall()
    assert rows == [("结账", '{"a":1}'), ("odd", "a\\000b")]


async def test_a_backup_is_a_ledger_of_its_own(url: str, tmp_path: Path) -> None:
    async with ledger_at(url) as ledger:
        await ledger.append([entry(n) for n in range(1, 6)], durable=True)
        await ledger.forget(before=NOON + timedelta(seconds=3))
        await ledger.backup(tmp_path / "copy.db")
        states = await ledger.read(Wanted(latest=True))
        verdict = await ledger.verify()

    copy = SqliteLedger(tmp_path / "copy.db")
    assert await copy.read(Wanted(latest=True)) == states
    assert await copy.verify() == verdict
    (added,) = await copy.append([entry(6)], durable=True)
    assert added.seq == 6
    assert [path.name for path in tmp_path.glob("copy.db*.part")] == []
    copy.close()


WRITER = textwrap.dedent("""
    import asyncio, sys
    from opsmith.backends.ledger.postgres import PostgresLedger
    from opsmith.testing.ledger import entry

    async def main():
        ledger = PostgresLedger(sys.argv[1])
        for n in range(1, 1_000_000):
            records = await ledger.append([entry(n), entry(n)], durable=True)
            print(records[-1].seq, flush=True)

    asyncio.run(main())
""")


async def test_what_was_acknowledged_survives_a_kill_of_the_writer(url: str) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(50)]

    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().splitlines() if line]
    writer.wait()
    writer.stdout.close()

    async with ledger_at(url) as ledger:
        kept = await ledger.read(Wanted(limit=-1))
        assert (await ledger.verify()).whole
        assert kept[-1].seq >= acknowledged[-1]
        assert len(kept) % 2 == 0
        (added,) = await ledger.append([entry(1)], durable=True)
        assert added.seq == kept[-1].seq + 1


async def test_what_was_acknowledged_survives_a_kill_of_the_server(tmp_path: Path) -> None:
    acknowledged: list[int] = []

    async def write(ledger: PostgresLedger, *, durable: bool) -> None:
        while True:
            records = await ledger.append([entry(1), entry(2)], durable=durable)
            if durable:
                acknowledged.append(records[-1].seq)

    with postgres(tmp_path / "data") as server:
        async with ledger_at(server.url()) as one, ledger_at(server.url()) as two:
            writers = [
                asyncio.create_task(write(ledger, durable=durable))
                for ledger in (one, two)
                for durable in (True, False)
            ]
            while len(acknowledged) < 40:  # noqa: ASYNC110 -- there is nothing else to wait for
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.stop, signal.SIGKILL)
            ends = await asyncio.gather(*writers, return_exceptions=True)
            with pytest.raises(Unreachable):
                await one.read(Wanted())
            await asyncio.to_thread(server.start)

            kept = await one.read(Wanted(limit=-1))
            verdict = await two.verify()
            (added,) = await two.append([entry(3)], durable=True)

    assert all(isinstance(end, Unreachable) for end in ends)
    assert verdict.whole
    assert kept[-1].seq >= max(acknowledged)
    assert len(kept) % 2 == 0
    assert added.seq == kept[-1].seq + 1


class Cut:
    """A line to the server that breaks at the commit of one transaction: before it, or after."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.breaks = ""
        self.port = 0
        self._joined: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        await asyncio.gather(*self._joined)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._joined.append(ended)
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        answers = asyncio.create_task(self._forward(there, writer))
        try:
            with suppress(OSError):
                await self._until_cut(reader, back, answers)
                how, self.breaks = self.breaks, ""
                if how == "after":
                    await there.read(1)  # the commit was answered, and nobody hears of it
        finally:
            answers.cancel()
            for one in (back, writer):
                one.close()
                with suppress(OSError):
                    await one.wait_closed()
            ended.set_result(None)

    async def _until_cut(
        self,
        reader: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        answers: asyncio.Task[None],
    ) -> None:
        while data := await reader.read(65_536):
            cut = b"COMMIT" in data and bool(self.breaks)
            if cut:
                answers.cancel()
                await asyncio.sleep(0)
            if not cut or self.breaks == "after":
                back.write(data)
                await back.drain()
            if cut:
                return

    async def _forward(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                to.write(data)
                await to.drain()


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_a_commit_whose_answer_is_lost_is_kept_once(
    server: Server, url: str, breaks: str
) -> None:
    async with (
        Cut(server.port) as cut,
        ledger_at(url.replace(str(server.port), str(cut.port))) as ledger,
    ):
        (first,) = await ledger.append([entry(1)], durable=True)
        cut.breaks = breaks

        second = await ledger.append([entry(2), entry(3)], durable=True)

        assert cut.breaks == ""
        assert await ledger.read(Wanted()) == (first, *second)
        assert (await ledger.verify()).whole


async def test_a_head_that_somebody_holds_is_said_and_written_later(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsmith.backends.ledger.postgres_line.BUSY_MS", 100)
    async with ledger_at(url) as ledger:
        await ledger.append([entry(1)], durable=True)
        with psycopg.connect(url) as line:
            line.execute("SELECT 1 FROM opsmith.mark FOR UPDATE")

            with pytest.raises(Unreachable, match="lock timeout"):
                await ledger.append([entry(2)], durable=True)
            assert len(await ledger.read(Wanted())) == 1

        (added,) = await ledger.append([entry(2)], durable=True)
        assert added.seq == 2


async def test_a_ledger_of_a_newer_opsmith_is_left_alone(url: str) -> None:
    async with ledger_at(url) as ledger:
        await ledger.append([entry(1)], durable=True)
    edit(url, "INSERT INTO opsmith.script (number) VALUES (99)")

    async with ledger_at(url) as ledger:
        with pytest.raises(AskError, match="newer opsmith"):
            await ledger.append([entry(1)], durable=True)
        with pytest.raises(AskError, match="newer opsmith"):
            await ledger.read(Wanted())


async def test_a_damaged_table_is_damage(url: str) -> None:
    async with ledger_at(url) as ledger:
        await ledger.append([entry(1)], durable=True)
        edit(url, "DROP TABLE opsmith.latest")

        with pytest.raises(HouseError, match="damaged"):
            await ledger.append([entry(2)], durable=True)
        assert (len(await ledger.read(Wanted()))) == 1


async def test_several_that_start_at_once_lay_out_the_tables_once(url: str) -> None:
    ledgers = [PostgresLedger(url) for _ in range(4)]

    await asyncio.gather(*(one.append([entry(1)], durable=True) for one in ledgers))

    assert len(await ledgers[0].read(Wanted())) == 4
    for one in ledgers:
        one.close()


async def test_a_server_that_does_not_wait_for_its_disk_is_refused(tmp_path: Path) -> None:
    with postgres(tmp_path / "data", fsync="off") as server:
        async with ledger_at(server.url()) as ledger:
            with pytest.raises(BadInput, match="fsync off"):
                await ledger.append([entry(1)], durable=True)


async def test_without_a_server_it_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    async with ledger_at(f"postgresql://me@127.0.0.1:{port}/x") as ledger:
        with pytest.raises(Unreachable, match="cannot be used"):
            await ledger.append([entry(1)], durable=True)
        with pytest.raises(Unreachable, match="cannot be used"):
            await ledger.read(Wanted())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hush-hush@db/x",
        "postgresql://db/x?password=hush-hush",
        "host=db password=hush-hush",
        "postgresql://db:99/x?hush-hush=1",
        "hush-hush",
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadInput) as told:
        PostgresLedger(url)

    assert "hush" not in str(told.value)
