"""outages: looks at a check counted on the ledger; one notice an outage, one when it is over.

What was seen and who was told stands on the ledger, so that a restart neither repeats nor forgets
it, and workers that look at the same time count together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from opsmith.audit.states import CHECKED, of_health, to_health
from opsmith.errors import BadAnswer, Conflict, Unreachable
from opsmith.execute.action import Finding
from opsmith.execute.resources import hold, let_go
from opsmith.nouns.health import Health, Told
from opsmith.seams.ledger import Ledger, Seen, Wanted
from opsmith.seams.notify import Notice, Notify

# As many writers may be first, one after the other, before this one gives up.
_TRIES = 20
# Every place has ten seconds to take a message; a teller that died is waited for no longer.
TELL_WITHIN = timedelta(minutes=2)
MOST_CHECKS = 100_000

Change = Callable[[Health], Health]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Who keeps and tells. places: by name. clock: UTC-aware. fresh_name: one that is not used."""

    ledger: Ledger
    places: Mapping[str, Notify]
    clock: Callable[[], datetime]
    fresh_name: Callable[[], str]


async def heed(name: str, finding: Finding, *, failures: int, teller: Teller) -> Health:
    """Count one look at the check `name`, and tell every place what it has not been told.

    failures: so many in a row are an outage. A place that does not answer is told after the next
    look. Raises `Unreachable` when the ledger does not answer.
    """
    at = teller.clock()
    health = await _changed(
        name,
        lambda one: one.seen(holds=finding.holds, says=finding.says, at=at, most=failures),
        teller,
    )
    if not any(_owed(health, place) for place in teller.places):
        return health
    return await _alone(name, finding, teller)


async def healths(ledger: Ledger) -> tuple[Health, ...]:
    """How every check stands that ever failed. Raises `Unreachable`."""
    found = await ledger.read(Wanted(kind=CHECKED, latest=True, limit=MOST_CHECKS))
    return tuple(map(to_health, found))


async def _alone(name: str, finding: Finding, teller: Teller) -> Health:
    """Tell while nobody else does: two that look at once send one message."""
    key, mark = f"notices {name}", teller.fresh_name()
    now = teller.clock()
    if await hold(teller.ledger, key, plan=mark, now=now, lease=TELL_WITHIN) is not None:
        return await _newest(name, teller)
    try:
        for place in teller.places:
            await _tell(name, place, finding, teller)
    finally:
        await let_go(teller.ledger, key, plan=mark, now=teller.clock())
    return await _newest(name, teller)


async def _tell(name: str, place: str, finding: Finding, teller: Teller) -> None:
    """First that the old outage is over, then that there is another."""
    while True:
        health = await _newest(name, teller)
        owed = _owed(health, place)
        if owed is None:
            return
        before = health.told.get(place)
        notice = _notice(health, owed, finding, at=teller.clock())
        try:
            handle = await teller.places[place].send(
                notice, handle=before.handle if before and owed.ended else ""
            )
        except Unreachable:
            return
        except BadAnswer:  # it will not take it the next time either
            handle = ""
        done = replace(owed, handle=handle)
        await _changed(name, partial(_with_told, place=place, told=done), teller)


def _with_told(health: Health, *, place: str, told: Told) -> Health:
    return health.with_told(place, told)


def _owed(health: Health, place: str) -> Told | None:
    """What a place should be told next, if anything."""
    told = health.told.get(place)
    is_open = told is not None and not told.ended
    if told is not None and is_open and (told.outage != health.outage or not health.down):
        return replace(told, ended=True, revision=told.revision + 1)
    if health.down and not is_open:
        return Told(outage=health.outage)
    return None


def _notice(health: Health, owed: Told, finding: Finding, *, at: datetime) -> Notice:
    since = f"{health.since:%Y-%m-%d %H:%M:%SZ}" if health.since else ""
    begun = (health.says, f"{health.failures} times in a row, since {since}")
    return Notice(
        incident=owed.outage,
        state="resolved" if owed.ended else "open",
        title=f"resolved: {health.name} is well" if owed.ended else f"open: {health.name} fails",
        lines=(finding.says,) if owed.ended else begun,
        link="",
        revision=owed.revision,
        at=at,
    )


async def _newest(name: str, teller: Teller) -> Health:
    return (await _record(name, teller))[0]


async def _record(name: str, teller: Teller) -> tuple[Health, int]:
    """(how the check stands, the number of the record that says so)."""
    wanted = Wanted(kind=CHECKED, subject=name, latest=True, limit=1)
    found = await teller.ledger.read(wanted)
    return (to_health(found[0]), found[0].seq) if found else (Health(name=name), 0)


async def _changed(name: str, change: Change, teller: Teller) -> Health:
    """The newest state with `change` made to it; what changes nothing is not written."""
    for _ in range(_TRIES):
        health, seq = await _record(name, teller)
        after = change(health)
        if after == health:
            return health
        seen = Seen(kind=CHECKED, subject=name, seq=seq)
        try:
            await teller.ledger.append(
                [of_health(after, at=teller.clock())], durable=True, seen=[seen]
            )
        except Conflict:
            continue
        return after
    raise Unreachable(f"Too many look at {name} at the same time.")
