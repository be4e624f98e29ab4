"""autonomy: the record of each class of actions read from the ledger, and leave written to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from opsmith.audit.states import GRANT, TRIED, of_grant, to_grant, to_tried
from opsmith.nouns.plan import Autonomy, Denied, Grant, Tried
from opsmith.plan.autonomy import Standing, grant, standing
from opsmith.seams.ledger import Ledger, Wanted

# More trials than any class of actions sees in years.
MOST_TRIED = 100_000


async def standings(ledger: Ledger) -> tuple[Standing, ...]:
    """Every class of actions that was tried or granted, by name. Raises `Unreachable`."""
    tried = await _tried(ledger)
    grants = await _grants(ledger)
    names = sorted({one.action for one in tried} | set(grants))
    return tuple(standing(name, tried, grants.get(name)) for name in names)


async def levels(ledger: Ledger) -> Mapping[str, Autonomy]:
    """The level that holds for each class. Raises `Unreachable`."""
    return {one.action: one.level for one in await standings(ledger)}


async def set_level(
    ledger: Ledger, action: str, level: Autonomy, *, by: str, now: datetime
) -> Grant | Denied:
    """Let a class go so far, if its record bears it. Raises `Unreachable`."""
    answer = grant(action, level, await _tried(ledger), by=by, at=now)
    if isinstance(answer, Grant):
        await ledger.append([of_grant(answer)], durable=True)
    return answer


async def _tried(ledger: Ledger) -> tuple[Tried, ...]:
    """The last word on each plan, oldest first."""
    found = await ledger.read(Wanted(kind=TRIED, latest=True, limit=MOST_TRIED))
    return tuple(map(to_tried, found))


async def _grants(ledger: Ledger) -> Mapping[str, Grant]:
    found = await ledger.read(Wanted(kind=GRANT, latest=True, limit=MOST_TRIED))
    return {record.entry.subject: to_grant(record) for record in found}
