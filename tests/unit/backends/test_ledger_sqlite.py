import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.errors import AskError, HouseError, Unreachable
from opsmith.seams.ledger import Wanted
from opsmith.testing.ledger import entry


async def filled(path: Path, count: int = 5) -> None:
    ledger = SqliteLedger(path)
    await ledger.append([entry(n) for n in range(1, count + 1)], durable=True)
    ledger.close()


async def broken_at(path: Path) -> int | None:
    ledger = SqliteLedger(path)
    verdict = await ledger.verify()
    ledger.close()
    return verdict.broken_at


def edit(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("UPDATE record SET body = '{}' WHERE seq = 3", 3),
        ("UPDATE record SET at_ms = at_ms + 1 WHERE seq = 2", 2),
        ("UPDATE record SET principal = 'me' WHERE seq = 4", 4),
        ("DELETE FROM record WHERE seq = 2", 2),
        ("DELETE FROM record WHERE seq >= 4", 4),
        ("UPDATE mark SET seq = 4 WHERE name = 'head'", 5),
        ("UPDATE latest SET body = '{}' WHERE seq = 4", 4),
    ],
)
async def test_what_was_changed_behind_its_back_is_named(
    tmp_path: Path, statement: str, first_bad: int
) -> None:
    await filled(tmp_path / "l.db")

    edit(tmp_path / "l.db", statement)

    assert await broken_at(tmp_path / "l.db") == first_bad


async def test_writers_in_two_handles_make_one_chain(tmp_path: Path) -> None:
    one, two = SqliteLedger(tmp_path / "l.db"), SqliteLedger(tmp_path / "l.db")

    await asyncio.gather(
        *(ledger.append([entry(n)], durable=False) for n in range(40) for ledger in (one, two))
    )

    assert (await one.verify()).checked == 80
    assert (await two.verify()).whole
    one.close()
    two.close()


WRITER = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from opsmith.backends.ledger.sqlite import SqliteLedger
    from opsmith.testing.ledger import entry

    async def main():
        ledger = SqliteLedger(Path(sys.argv[1]))
        for n in range(1, 1_000_000):
            (record,) = await ledger.append([entry(n)], durable=True)
            print(record.seq, flush=True)

    asyncio.run(main())
""")


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(50)]

    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().splitlines() if line]
    writer.wait()
    writer.stdout.close()

    ledger = SqliteLedger(path)
    kept = await ledger.read(Wanted(limit=-1))
    assert (await ledger.verify()).whole
    assert kept[-1].seq >= acknowledged[-1]
    ledger.close()


async def test_a_ledger_of_a_newer_opsmith_is_left_alone(tmp_path: Path) -> None:
    await filled(tmp_path / "l.db")
    edit(tmp_path / "l.db", "PRAGMA user_version = 99")

    with pytest.raises(AskError, match="newer opsmith"):
        SqliteLedger(tmp_path / "l.db")


def test_a_file_that_is_no_ledger_is_damage(tmp_path: Path) -> None:
    (tmp_path / "l.db").write_bytes(b"not a database, and long enough to be read as one" * 40)

    with pytest.raises(HouseError, match="damaged"):
        SqliteLedger(tmp_path / "l.db")


async def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "l.db")
    await ledger.append([entry(1)], durable=True)
    (pages,) = ledger._writer.execute("PRAGMA page_count").fetchone()  # noqa: SLF001 -- no disk is small enough
    ledger._writer.execute(f"PRAGMA max_page_count = {pages}")  # noqa: SLF001

    with pytest.raises(Unreachable, match="full"):
        await ledger.append([entry(n) for n in range(2, 2000)], durable=True)

    ledger._writer.execute("PRAGMA max_page_count = 1000000")  # noqa: SLF001
    (added,) = await ledger.append([entry(2)], durable=True)
    assert added.seq == 2
    assert (await ledger.verify()).whole
    ledger.close()


def test_many_may_make_the_same_ledger_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def made(number: int) -> None:
        together.wait()
        ledger = SqliteLedger(tmp_path / "l.db")
        asyncio.run(ledger.append([entry(number)], durable=False))
        ledger.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(made, range(8)))

    ledger = SqliteLedger(tmp_path / "l.db")
    assert asyncio.run(ledger.verify()).checked == 8
    ledger.close()
