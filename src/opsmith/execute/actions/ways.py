"""Ways: an order taken to its target by the reach that carries its verb."""

from __future__ import annotations

from opsmith.execute.action import World
from opsmith.nouns.plan import Order, Values
from opsmith.seams.reach import Found, Reply


async def look(order: Order, verb: str, world: World) -> Found:
    """What `verb` would meet; changes nothing. Raises what the reach raises."""
    return await world.reach(order.target, verb).look(order.target, verb, order.values)


async def send(
    order: Order, verb: str, values: Values, world: World, *, deadline_s: float
) -> Reply:
    """Do `verb` with `values`. Raises what the reach raises."""
    reach = world.reach(order.target, verb)
    return await reach.send(order.target, verb, values, deadline_s=deadline_s)
