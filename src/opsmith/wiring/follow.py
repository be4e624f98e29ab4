"""Following the ledger: incidents, anomalies and warnings as a running opsmith finds them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from opsmith.audit.states import INCIDENT, SIGN, of_label, to_incident, to_sign
from opsmith.nouns.anomaly import Label
from opsmith.nouns.incident import Incident
from opsmith.nouns.record import Record
from opsmith.nouns.session import Principal
from opsmith.nouns.sign import Sign, SignKind
from opsmith.seams.ledger import Ledger, Wanted
from opsmith.settings import Settings
from opsmith.wiring.ledger import may_hold_something, opened
from opsmith.wiring.looks import now

EVERY_S = 0.5
PAGE = 10_000


async def follow(settings: Settings, *, since: timedelta) -> AsyncIterator[Incident | Sign]:
    """What changed of late, newest state of each, and from there on every change; no end."""
    begin = now() - since
    async with opened(settings) as ledger:
        read_to = {INCIDENT: 0, SIGN: 0}
        states = [one for kind in read_to for one in await _all(ledger, kind)]
        for record in sorted(states, key=lambda one: one.seq):
            read_to[record.entry.kind] = record.seq
            if record.entry.at >= begin:
                yield _noun(record)
        while True:
            await asyncio.sleep(EVERY_S)
            for kind, after in tuple(read_to.items()):
                for record in await ledger.read(Wanted(kind=kind, after=after, limit=PAGE)):
                    read_to[kind] = record.seq
                    yield _noun(record)


async def label_sign(settings: Settings, name: str, said: Label, *, by: Principal) -> Sign | None:
    """Put a person's word on an anomaly on the ledger, where the running detectors read it.

    None when the ledger knows no such anomaly.
    """
    if may_hold_something(settings):
        async with opened(settings) as ledger:
            found = await ledger.read(Wanted(kind=SIGN, subject=name, latest=True, limit=1))
            if found and (sign := to_sign(found[0])).kind is SignKind.ANOMALY:
                entry = of_label(name, said, at=now(), by=by)
                await ledger.append([entry], durable=True)
                return sign
    return None


async def _all(ledger: Ledger, kind: str) -> list[Record]:
    found: list[Record] = []
    while page := await ledger.read(
        Wanted(kind=kind, latest=True, after=found[-1].seq if found else 0, limit=PAGE)
    ):
        found += page
    return found


def _noun(record: Record) -> Incident | Sign:
    return to_incident(record) if record.entry.kind == INCIDENT else to_sign(record)
