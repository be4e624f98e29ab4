"""Healing: incidents on their way to the runbooks, one after the other, beside the watch."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, suppress

from opsmith.errors import AskError, OpsmithError
from opsmith.flows.change_control import ChangeControl
from opsmith.flows.remediate import Remedies
from opsmith.nouns.incident import Incident
from opsmith.seams.ledger import Ledger
from opsmith.seams.metrics import Metrics
from opsmith.settings import Settings
from opsmith.wiring.act import control_over
from opsmith.wiring.remedies import remedies
from opsmith.wiring.troubles import Troubles


class Healing:
    """Considers each incident as it stands, never in the way of those who are told of it.

    control: the change control, once started. done: remedies considered without a fault.
    """

    control: ChangeControl

    def __init__(
        self, settings: Settings, *, ledger: Ledger, metrics: Metrics | None, troubles: Troubles
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._metrics = metrics
        self._troubles = troubles
        self._waiting: dict[str, Incident] = {}
        self._told = asyncio.Event()
        self._stack = AsyncExitStack()
        self._task: asyncio.Task[None] | None = None
        self.done = 0

    async def start(self) -> None:
        """Open the ways and begin to wait. Raises `BadInput` for a targets file that is wrong."""
        control = self.control = await self._stack.enter_async_context(
            control_over(self._settings, ledger=self._ledger, metrics=self._metrics)
        )
        made = remedies(self._settings, control, ledger=self._ledger, metrics=self._metrics)
        self._task = asyncio.create_task(self._consider_forever(made))

    async def tell(self, incident: Incident) -> None:
        """Take note of the newest state of an incident."""
        self._waiting[incident.id] = incident
        self._told.set()

    async def close(self) -> None:
        """Stop; a plan that runs is left as the ledger knows it."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._stack.aclose()

    async def _consider_forever(self, made: Remedies) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            while self._waiting:
                _, incident = self._waiting.popitem()
                await self._consider(incident, made)

    async def _consider(self, incident: Incident, made: Remedies) -> None:
        try:
            await made.consider(incident)
        except AskError as odd:  # no such target or setting: for a person, opsmith itself is well
            logging.getLogger("opsmith.healing").warning("%s: %s", incident.id, odd)
        except OpsmithError as error:
            self._troubles.note("remedies", str(error))
        else:
            self._troubles.note("remedies", "")
            self.done += 1
