"""Measure sessions: durable turns a second on SQLite, and what kill -9 leaves behind.

Usage: python bench/sessions.py [--turns N] [--sessions N] [--kills N] [-o text|json]
Each turn is one sealed record, on disk (`synchronous=FULL`) before the next of its session begins.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from opsmith.audit.sessions import open_session, turns
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.nouns.session import Turn, TurnStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAID = "p99 latency of checkout: 49.7 ms at 13:09:32 UTC. " * 4
STATE = '{"tasks": [], "missing": [], "mentioned": {"service": "checkout"}, "age": 0, "said": ""}'


def turn(session: str, number: int) -> Turn:
    """A turn of the size that a real one has."""
    return Turn(
        session=session,
        number=number,
        command="checkout 最近一小时 p99 怎么样?如果超过 800ms 就把副本扩到 6 个",
        status=TurnStatus.SUCCESS,
        began=NOW,
        ended=NOW,
        outcome="answered",
        intents=("query_metric", "scale_service"),
        said=SAID,
        state=STATE,
    )


async def rate(ledger: SqliteLedger, sessions: int, each: int) -> tuple[float, list[float]]:
    """Durable turns a second of so many sessions at once, and the wait of each turn, seconds."""
    waits: list[float] = []

    async def talk(name: str) -> None:
        session = await open_session(ledger, name)
        for _ in range(each):
            began = time.perf_counter()
            await session.keep(turn(name, session.next_number))
            waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(talk(f"s-{n}") for n in range(sessions)))
    return sessions * each / (time.perf_counter() - began), waits


async def write_for_ever(path: Path) -> None:
    """The victim: sixteen sessions that never end; each turn is told once it is durable."""
    ledger = SqliteLedger(path)

    async def talk(name: str) -> None:
        session = await open_session(ledger, name)
        while True:
            await session.keep(turn(name, session.next_number))
            assert session.last is not None
            sys.stdout.write(f"{name} {session.last.number}\n")
            sys.stdout.flush()

    await asyncio.gather(*(talk(f"s-{n}") for n in range(16)))


async def survey(path: Path, told: dict[str, int]) -> tuple[int, int]:
    """Promised turns that are lost, and sessions with a gap or a chain that is not whole."""
    ledger = SqliteLedger(path)
    whole = (await ledger.verify()).whole
    found: dict[str, list[int]] = {}
    for one in await turns(ledger):
        found.setdefault(one.session, []).append(one.number)
    ledger.close()
    lost = sum(max(0, last - len(found.get(name, []))) for name, last in told.items())
    broken = sum(numbers != list(range(1, len(numbers) + 1)) for numbers in found.values())
    return lost, broken + (not whole)


def killed(folder: Path, times: int) -> dict[str, float]:
    """Kill the victim at chance moments; what of the promised turns is lost or broken."""
    rng = np.random.default_rng(7)
    path, told, lost, broken = folder / "killed.db", dict[str, int](), 0, 0
    for _ in range(times):
        victim = subprocess.Popen(
            [sys.executable, __file__, "--victim", str(path)], stdout=subprocess.PIPE, text=True
        )
        assert victim.stdout is not None
        first = victim.stdout.readline().split()
        time.sleep(float(rng.uniform(0.0, 0.3)))
        os.kill(victim.pid, signal.SIGKILL)
        for line in [" ".join(first), *victim.stdout.read().splitlines()]:
            name, _, number = line.partition(" ")
            if number.isdecimal():
                told[name] = max(told.get(name, 0), int(number))
        victim.wait()
        more = asyncio.run(survey(path, told))
        lost, broken = lost + more[0], broken + more[1]
    kept = sum(told.values())
    return {"kills": times, "turns_promised": kept, "turns_lost": lost, "turns_broken": broken}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=20_000)
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--victim", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    args = parser.parse_args()
    if args.victim:
        asyncio.run(write_for_ever(args.victim))
        return
    with tempfile.TemporaryDirectory() as folder:
        ledger = SqliteLedger(Path(folder) / "ledger.db")
        before = resource.getrusage(resource.RUSAGE_SELF)
        per_s, waits = asyncio.run(rate(ledger, args.sessions, args.turns // args.sessions))
        after = resource.getrusage(resource.RUSAGE_SELF)
        ledger.close()
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        figures = {
            "durable_turns_per_s": round(per_s),
            "turn_p50_ms": round(1e3 * float(np.median(waits)), 2),
            "turn_p99_ms": round(1e3 * float(np.quantile(waits, 0.99)), 2),
            "cpu_us_per_turn": round(1e6 * cpu_s / len(waits)),
            **killed(Path(folder), args.kills),
        }
    if args.output == "json":
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:24} {value:>12,}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
