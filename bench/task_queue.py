"""The queue: tasks in and done a second, pick-up when idle, and what dying processes lose.

    python bench/task_queue.py rates        in, done end to end, raw Valkey beside
    python bench/task_queue.py pick-up      how long a task waits for an idle worker
    python bench/task_queue.py deaths       kill -9 of worker, server and opsmith in turn

Every part starts its own embedded Valkey (append-only file, synced every second) in a temporary
folder. Processor time (user + system) of all processes stands beside wall time, since other work
on the machine stretches the latter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import SystemRandom

from opsmith.flows.pipeline.worker import Limits, Worker
from opsmith.nouns.job import Context, Job, Shard
from opsmith.nouns.session import Principal
from opsmith.seams.queue import Queue
from opsmith.settings import Settings
from opsmith.wiring.queue import open_queue

Part = Callable[[], Awaitable[None]]
BY = Principal(name="bench")
EVENT = b"x" * 200


class Noop:
    """A kind that does nothing, or writes one row a key when it has a file."""

    name = "ping"
    deadline_s = 30.0
    interruptible = True

    def __init__(self, file: Path | None = None) -> None:
        self._rows = sqlite3.connect(file, isolation_level=None, timeout=60) if file else None
        if self._rows is not None:
            self._rows.execute("PRAGMA journal_mode = WAL")
            self._rows.execute("PRAGMA synchronous = OFF")  # processes die here, not the machine
            self._rows.execute("CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY)")
            self._rows.execute("CREATE TABLE IF NOT EXISTS tries (key TEXT)")

    def split(self, body: str) -> tuple[Shard, ...]:
        """One shard."""
        return (Shard(name="all", body=body),)

    async def do(self, shard: Shard, context: Context) -> str:
        """Nothing, or the row; what a key did once is not done again."""
        del shard
        if self._rows is not None:
            self._rows.execute("INSERT INTO tries VALUES (?)", (context.key,))
            self._rows.execute("INSERT OR IGNORE INTO effects VALUES (?)", (context.key,))
            await asyncio.sleep(0.02)  # done and not yet said: where a death is worst
        return "{}"


def job(number: int) -> Job:
    """A task with a key and a body like a real one."""
    return Job(id=f"t{number}", key=f"k{number}", kind="ping", by=BY, body='{"wait_s": 0}')


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


async def rates(count: int) -> None:
    """Tasks in, tasks done, and the server alone, one after the other."""
    for number in range(3):
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(data_dir=Path(folder))
            async with aclosing(open_queue(settings)) as queue:
                jobs = [job(n) for n in range(count)]
                await timed("in, 100 a call", count, lambda q=queue, j=jobs: put(q, j))
                await timed("done, end to end", count, lambda q=queue: work_off(q, count))
                raw_in, raw_out = raw(queue, count)
                await timed("raw XADD, 100 a pipeline", count, raw_in)
                await timed("raw XREADGROUP + XACK, 100", count, raw_out)
        print(f"--- run {number + 1} of 3")


async def put(queue: Queue, jobs: list[Job]) -> None:
    """A hundred a call."""
    for start in range(0, len(jobs), 100):
        await queue.put(jobs[start : start + 100])


async def work_off(queue: Queue, count: int) -> None:
    """Claim, do and settle all of them; a worker that stops has settled what it did."""
    all_done = asyncio.Event()
    left = iter(range(count - 1))

    class Counting(Noop):
        async def do(self, shard: Shard, context: Context) -> str:
            if next(left, None) is None:
                all_done.set()
            return await super().do(shard, context)

    worker = a_worker(queue, Counting())
    task = asyncio.create_task(worker.work())
    await all_done.wait()
    worker.stop()
    await task


def a_worker(queue: Queue, kind: Noop, *, at_once: int = 100) -> Worker:
    """A worker of this process."""
    limits = Limits(at_once=at_once, beat_s=3.0, patience_s=5.0)
    name = f"w{os.getpid()}"
    return Worker(queue, {"ping": kind}, name=name, limits=limits, clock=now, rng=SystemRandom())


def raw(queue: Queue, count: int) -> tuple[Part, Part]:
    """The same number of 200-byte events through the same client, with nothing around them."""
    client = queue._wire._client  # type: ignore[attr-defined]  # noqa: SLF001 - the same connection

    async def fill() -> None:
        await client.execute_command("XGROUP", "CREATE", "raw", "g", "0", "MKSTREAM")
        for _ in range(0, count, 100):
            async with client.pipeline(transaction=False) as pipe:
                for _ in range(100):
                    pipe.execute_command("XADD", "raw", "*", "v", EVENT)
                await pipe.execute()

    async def empty() -> None:
        for _ in range(0, count, 100):
            words = ("GROUP", "g", "w", "COUNT", 100, "STREAMS", "raw", ">")
            ((_, messages),) = await client.execute_command("XREADGROUP", *words)
            await client.execute_command("XACK", "raw", "g", *(one[0] for one in messages))

    return fill, empty


async def timed(what: str, count: int, do: Part) -> None:
    """Say how many a second, and what each took of this process."""
    wall, mine = time.perf_counter(), time.process_time()
    await do()
    wall, mine = time.perf_counter() - wall, time.process_time() - mine
    print(f"{what:<28} {count / wall:>9,.0f} /s   {mine / count * 1e6:>6.0f} us of this process")


async def pick_up(count: int) -> None:
    """From the call that puts a task to the moment its kind is called, one task at a time."""
    waits: list[float] = []

    class Seen(Noop):
        async def do(self, shard: Shard, context: Context) -> str:
            waits.append(time.perf_counter() - put_at)
            return await super().do(shard, context)

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        async with (
            aclosing(open_queue(settings)) as queue,
            aclosing(open_queue(settings)) as other,
        ):
            worker = a_worker(queue, Seen(), at_once=10)
            task = asyncio.create_task(worker.work())
            rng = SystemRandom()
            for number in range(count):
                await asyncio.sleep(rng.uniform(0.01, 0.05))
                put_at = time.perf_counter()
                await other.put([job(number)])
            await asyncio.sleep(0.5)
            worker.stop()
            await task
    waits.sort()
    middle, late, last = (waits[int(len(waits) * q)] * 1000 for q in (0.5, 0.99, 0.9999))
    print(
        f"pick-up of {len(waits)}: p50 {middle:.1f} ms, p99 {late:.1f} ms, longest {last:.1f} ms"
    )


def deaths(count: int, most: int) -> int:
    """Workers, server and the process that puts are killed in turn; 1 when anything is lost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        killed = _with_deaths(folder, count, most)
        found = asyncio.run(_found(folder, count))
        found |= {"killed": killed, "seconds": round(time.perf_counter() - began, 1)}
    print(json.dumps(found))
    return 0 if found["lost"] == 0 and found["effects"] == count else 1


def _with_deaths(folder: Path, count: int, most: int) -> dict[str, int]:
    killed = {"worker": 0, "server": 0, "putter": 0}
    putter = _spawn("put", folder, count)
    workers = [_spawn("work", folder, count) for _ in range(2)]
    rng, turn = SystemRandom(), 0
    while asyncio.run(_done(folder)) < count:
        time.sleep(rng.uniform(*EVERY_S))
        if sum(killed.values()) >= most:
            continue
        who = ("worker", "server", "putter")[turn % 3]
        if who == "worker":
            _kill(workers[turn % 2])
            workers[turn % 2] = _spawn("work", folder, count)
        elif who == "server":
            for pid in _servers(folder):
                os.kill(pid, signal.SIGKILL)
        elif putter.poll() is None:
            _kill(putter)
            putter = _spawn("put", folder, count)
        else:
            turn += 1
            continue
        killed[who] += 1
        turn += 1
    for process in (*workers, putter):
        _kill(process)
    return killed


async def _found(folder: Path, count: int) -> dict[str, object]:
    rows = sqlite3.connect(folder / "effects.db")
    (effects,) = rows.execute("SELECT count(*) FROM effects").fetchone()
    (tries,) = rows.execute("SELECT count(*) FROM tries").fetchone()
    rows.close()
    async with aclosing(open_queue(Settings(data_dir=folder), lease=LEASE)) as queue:
        depth = await queue.depth()
    return {"tasks": count, "done": depth.done, "dead": depth.dead, "lost": count - depth.done,
            "effects": effects, "delivered_again": tries - effects}  # fmt: skip


# A worker that was killed is missed after this; in production it is 30 s.
LEASE = timedelta(seconds=2)
# Then they are left to finish: a queue whose every process dies each second gets nothing done.
MOST_DEATHS = 15
EVERY_S = (0.5, 1.5)
# Slow enough for most of them to happen meanwhile.
PUT_FOR_S = 15.0


async def _done(folder: Path) -> int:
    async with aclosing(open_queue(Settings(data_dir=folder), lease=LEASE)) as queue:
        return (await queue.depth()).done


def _spawn(what: str, folder: Path, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, what, str(count), "--folder", str(folder)])


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _servers(folder: Path) -> list[int]:
    """The embedded server of the folder: the process that lives in it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink() == folder / "queue":
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def put_all(folder: Path, count: int) -> None:
    """Put every task; one that is killed is begun again a batch earlier, and doubles nothing."""
    note = folder / "put"
    known = note.read_text() if note.exists() else ""
    async with aclosing(open_queue(Settings(data_dir=folder), lease=LEASE)) as queue:
        for start in range(int(known or 0), count, 20):
            await queue.put([job(n) for n in range(start, min(count, start + 20))])
            note.write_text(str(start))
            await asyncio.sleep(PUT_FOR_S * 20 / count)


async def work_on(folder: Path) -> None:
    """Work until killed."""
    async with aclosing(open_queue(Settings(data_dir=folder), lease=LEASE)) as queue:
        limits = Limits(at_once=20, beat_s=0.4)
        kinds = {"ping": Noop(folder / "effects.db")}
        name = f"w{os.getpid()}"
        worker = Worker(queue, kinds, name=name, limits=limits, clock=now, rng=SystemRandom())
        await worker.work()


def main() -> int:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("part", choices=["rates", "pick-up", "deaths", "put", "work"])
    parser.add_argument("count", nargs="?", type=int, default=10_000)
    parser.add_argument("--deaths", type=int, default=MOST_DEATHS)
    parser.add_argument("--folder", type=Path, default=Path())
    given = parser.parse_args()
    match given.part:
        case "rates":
            asyncio.run(rates(given.count))
        case "pick-up":
            asyncio.run(pick_up(min(given.count, 500)))
        case "deaths":
            return deaths(given.count, given.deaths)
        case "put":
            asyncio.run(put_all(given.folder, given.count))
        case _:
            asyncio.run(work_on(given.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
