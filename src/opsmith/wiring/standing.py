"""The incidents of the ledger for one word about them, with or without a running `opsmith up`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from opsmith.errors import BadInput
from opsmith.flows.maintenance import Calendar as Calendar  # noqa: PLC0414 - as below
from opsmith.flows.watch import Watch as Watch  # noqa: PLC0414 - faces know it by this name
from opsmith.nouns.incident import Incident, Verdict
from opsmith.nouns.maintenance import Window
from opsmith.settings import Settings
from opsmith.wiring.ledger import opened
from opsmith.wiring.looks import now


@asynccontextmanager
async def standing_watch(settings: Settings) -> AsyncIterator[Watch]:
    """The incidents of the ledger for one word about them; nothing is looked into."""

    async def quiet(incident: Incident) -> None:
        del incident

    async def no_look(incident: Incident) -> Verdict:
        raise BadInput(f"Incident {incident.id} is looked into by `opsmith up` alone.")

    async with opened(settings) as ledger:
        watch = Watch(ledger, look=no_look, announce=quiet, clock=now, looks_after_s=())
        try:
            await watch.load()
            yield watch
        finally:
            await watch.close()


async def with_calendar(
    settings: Settings, act: Callable[[Calendar, datetime], Awaitable[Sequence[Window]]]
) -> Sequence[Window]:
    """Do something with the maintenance windows; a running `opsmith up` keeps to it at once."""
    async with opened(settings) as ledger:
        calendar = Calendar(ledger)
        await calendar.refresh()
        return await act(calendar, now())
