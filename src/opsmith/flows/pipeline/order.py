"""Order: shards are done side by side, each once those before it are done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from opsmith.errors import BadInput
from opsmith.nouns.job import Shard


async def in_order(
    shards: Sequence[Shard], do: Callable[[Shard], Awaitable[str]]
) -> dict[str, str]:
    """The results by the shards' names; after a failure no other shard is begun.

    Raises `BadInput` when they wait for each other or for one that is not there, and whatever
    the first shard that failed raised.
    """
    check_order(shards)
    results: dict[str, str] = {}
    waiting = list(shards)
    begun: dict[asyncio.Future[str], Shard] = {}
    try:
        while waiting or begun:
            ready = [one for one in waiting if one.after <= results.keys()]
            waiting = [one for one in waiting if not one.after <= results.keys()]
            begun.update({asyncio.ensure_future(do(one)): one for one in ready})
            over, _ = await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
            for task in over:
                results[begun.pop(task).name] = task.result()
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
    return results


def check_order(shards: Sequence[Shard]) -> None:
    """Raise `BadInput` unless the shards have names of their own and can be put in an order."""
    left = {one.name: one.after for one in shards}
    if len(left) != len(shards) or not shards:
        raise BadInput("A task has one shard or more, each with a name of its own.")
    if any(not after <= left.keys() for after in left.values()):
        raise BadInput("A shard waits for one that is not there.")
    while left:
        ready = {name for name, after in left.items() if not after & left.keys()}
        if not ready:
            raise BadInput("Shards wait for each other in a circle.")
        left = {name: after for name, after in left.items() if name not in ready}
