"""Orders to a process to be faulty: a file that the supervisor writes and the process follows.

A file, because a fault in the code of a service is still there after it was restarted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from opsmith_lab.faults.fault import End

LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Be faulty in this way, this strongly (1 is the default).

    version: only this version of the code has the fault; empty for any.
    """

    fault: str
    target: str
    strength: float
    version: str = ""


def write(path: Path, orders: list[Order]) -> None:
    """Replace the orders of one process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_bytes(orjson.dumps([asdict(order) for order in orders]))
    draft.replace(path)


def read(path: Path) -> list[Order]:
    """The orders of one process; none when there is no file."""
    try:
        return [Order(**one) for one in orjson.loads(path.read_bytes())]
    except FileNotFoundError:
        return []


async def follow(path: Path, begin: Callable[[Order], End | None]) -> None:
    """Begin and end faults as the file says, for as long as the process lives."""
    ends: dict[Order, End | None] = {}
    while True:
        wanted = read(path)
        for order in [one for one in ends if one not in wanted]:
            end = ends.pop(order)
            if end is not None:
                await end()
        for order in wanted:
            if order not in ends:
                ends[order] = begin(order)
        await asyncio.sleep(LOOK_EVERY_S)
