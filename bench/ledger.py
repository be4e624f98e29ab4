"""Measure the ledger: records a second in, the wait of one append under readers, verifying.

Usage: python bench/ledger.py [--records N] [--postgres] [-o text|json]
The peer beside it is plain SQLite, or with --postgres plain PostgreSQL (started for the run on
loopback, synced as by default): the same rows, one durable transaction each, no chain.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
from opsmith_lab.servers import postgres_server

from opsmith.backends.ledger.postgres import PostgresLedger
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.seams.ledger import Wanted
from opsmith.testing.ledger import entry

WRITERS = 64
READERS = 4
# What a reader of another process does: a page of the ledger, a hundred times a second.
READER = """
import asyncio, sys
from pathlib import Path
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.seams.ledger import Wanted

async def read():
    ledger = SqliteLedger(Path(sys.argv[1]))
    print("reads", flush=True)
    while True:
        await ledger.read(Wanted(limit=200))
        await asyncio.sleep(0.01)

asyncio.run(read())
"""
AnyLedger = SqliteLedger | PostgresLedger


async def rate(ledger: AnyLedger, count: int, *, durable: bool) -> tuple[float, list[float]]:
    """Records a second with `WRITERS` callers at once, and the wait of each call in seconds."""
    waits: list[float] = []

    async def write(numbers: range) -> None:
        for number in numbers:
            began = time.perf_counter()
            await ledger.append([entry(number)], durable=durable)
            waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(write(range(n, count, WRITERS)) for n in range(WRITERS)))
    return count / (time.perf_counter() - began), waits


async def waits_alone(ledger: AnyLedger, count: int) -> list[float]:
    """The wait of one caller's durable appends, one after the other, in seconds."""
    waits = []
    for number in range(count):
        began = time.perf_counter()
        await ledger.append([entry(number)], durable=True)
        waits.append(time.perf_counter() - began)
    return waits


async def waits_under_readers(ledger: AnyLedger, count: int) -> list[float]:
    """The same while readers of this process read all the time."""
    stop = asyncio.Event()

    async def read() -> None:
        while not stop.is_set():
            await ledger.read(Wanted(limit=200))

    readers = [asyncio.create_task(read()) for _ in range(READERS)]
    waits = await waits_alone(ledger, count)
    stop.set()
    await asyncio.gather(*readers)
    return waits


@contextlib.contextmanager
def reader_processes(path: Path) -> Iterator[None]:
    """Readers in processes of their own, for as long as this lasts."""
    command = [sys.executable, "-c", READER, str(path)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(READERS)]
    try:
        for reader in readers:
            assert reader.stdout is not None
            reader.stdout.readline()
        yield
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()


def plain_sqlite(path: Path, count: int) -> list[float]:
    """The wait of each row of bare SQLite, `synchronous=FULL`, one transaction a row."""
    waits = []
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE row (n INTEGER PRIMARY KEY, body TEXT)")
        for number in range(count):
            began = time.perf_counter()
            connection.execute("INSERT INTO row (body) VALUES (?)", (entry(number).body,))
            waits.append(time.perf_counter() - began)
    return waits


def plain_postgres(url: str, count: int) -> float:
    """Rows a second of bare PostgreSQL, `synchronous_commit = on`, one transaction a row."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (n serial PRIMARY KEY, body text)")
        began = time.perf_counter()
        for number in range(count):
            connection.execute("INSERT INTO plain (body) VALUES (%s)", (entry(number).body,))
        return count / (time.perf_counter() - began)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of a PostgreSQL for this run."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    url = f"postgresql://shop@127.0.0.1:{port}/postgres"
    command = postgres_server(folder / "data", {"port": str(port)})
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        try:
            for _ in range(200):
                with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
                    break
                time.sleep(0.1)
            yield url
        finally:
            run.send_signal(signal.SIGINT)


async def measure(ledger: AnyLedger, count: int, *, path: Path | None = None) -> dict[str, float]:
    """All figures of one ledger, by name with their unit. path: of its file, if it is one."""
    durable, durable_waits = await rate(ledger, count, durable=True)
    normal, _ = await rate(ledger, count, durable=False)
    few = min(count, 2000)
    waits = {
        "append": await waits_alone(ledger, few),
        "append_under_readers": await waits_under_readers(ledger, few),
    }
    if path is not None:
        with reader_processes(path):
            waits["append_under_reader_processes"] = await waits_alone(ledger, few)
    began = time.perf_counter()
    verdict = await ledger.verify()
    seconds = time.perf_counter() - began
    ledger.close()
    assert verdict.whole
    return {
        "durable_records_per_s": round(durable),
        "durable_p99_ms_64_writers": round(1e3 * float(np.quantile(durable_waits, 0.99)), 2),
        "normal_records_per_s": round(normal),
        **{name: value for each in waits for name, value in shown(each, waits[each]).items()},
        "verify_records_per_s": round(verdict.checked / seconds),
    }


def shown(name: str, waits: list[float]) -> dict[str, float]:
    """The middle and the tail of waits, in milliseconds."""
    cuts = {"p50": 0.5, "p99": 0.99}
    return {
        f"{name}_{cut}_ms": round(1e3 * float(np.quantile(waits, q)), 2) for cut, q in cuts.items()
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    args = parser.parse_args()
    peer_rows = min(args.records, 2000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "ledger.db"
        figures = asyncio.run(measure(SqliteLedger(path), args.records, path=path))
        figures |= shown("plain_sqlite_row", plain_sqlite(folder / "plain.db", peer_rows))
        if args.postgres:
            with server(folder) as url:
                found = asyncio.run(measure(PostgresLedger(url), args.records))
                found["plain_rows_per_s"] = round(plain_postgres(url, peer_rows))
            figures |= {f"postgres_{key}": value for key, value in found.items()}
    if args.output == "json":
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:40} {value:>12,}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
