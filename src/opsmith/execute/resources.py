"""Resources: what a step touches is held by one plan at a time, for so long and no longer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from opsmith.errors import Conflict
from opsmith.nouns.record import Entry, Record
from opsmith.nouns.session import HOUSE
from opsmith.seams.ledger import Ledger, Seen, Wanted

RESOURCE = "resource"
ANOTHER = "another plan"


async def hold(
    ledger: Ledger, key: str, *, plan: str, now: datetime, lease: timedelta, tenant: str = HOUSE
) -> str | None:
    """Take `key` for `plan`; None when it is now held, else the plan that has it.

    tenant: whose plan it is; the name of another tenant's plan is not told.

    A lease that ran out (its holder died) is taken over. Raises `Unreachable` when the ledger
    does not answer: then nothing is held.
    """
    newest = await ledger.read(Wanted(kind=RESOURCE, subject=key, latest=True, limit=1))
    holder = _standing(newest, now)
    if holder not in ("", plan):
        return holder if newest[0].entry.tenant == tenant else ANOTHER
    seen = Seen(kind=RESOURCE, subject=key, seq=newest[0].seq if newest else 0)
    try:
        await ledger.append(
            [_entry(key, plan, now=now, until=now + lease, tenant=tenant)],
            durable=True,
            seen=[seen],
        )
    except Conflict:
        return ANOTHER
    return None


async def holder_of(ledger: Ledger, key: str, *, now: datetime) -> str:
    """The plan that holds `key` now, empty for none."""
    newest = await ledger.read(Wanted(kind=RESOURCE, subject=key, latest=True, limit=1))
    return _standing(newest, now)


async def let_go(ledger: Ledger, key: str, *, plan: str, now: datetime) -> None:
    """Give `key` back, if `plan` still has it."""
    newest = await ledger.read(Wanted(kind=RESOURCE, subject=key, latest=True, limit=1))
    if newest and _holder(newest[0])[0] == plan:
        seen = Seen(kind=RESOURCE, subject=key, seq=newest[0].seq)
        await ledger.append([_entry(key, "", now=now, until=now)], durable=False, seen=[seen])


def _entry(key: str, plan: str, *, now: datetime, until: datetime, tenant: str = HOUSE) -> Entry:
    body = json.dumps({"plan": plan, "until": until.isoformat()})
    return Entry(kind=RESOURCE, subject=key, body=body, at=now, tenant=tenant)


def _standing(newest: Sequence[Record], now: datetime) -> str:
    holder, until = _holder(newest[0]) if newest else ("", now)
    return holder if until > now else ""


def _holder(record: Record) -> tuple[str, datetime]:
    body = json.loads(record.entry.body)
    return str(body["plan"]), datetime.fromisoformat(body["until"])
