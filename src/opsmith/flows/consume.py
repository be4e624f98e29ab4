"""consume: notifications of a stream into the inbox, each batch in one write with its place.

Where reading goes on stands on the ledger in the same write as the alerts up to it, so that a
kill at any moment neither loses an alert nor takes one twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime

from opsmith.audit.states import OFFSET, of_offset, of_skipped, to_offset
from opsmith.errors import BadInput
from opsmith.ingest.alertmanager import from_webhook
from opsmith.nouns.record import Entry
from opsmith.nouns.signals import Alert
from opsmith.seams.alerts import AlertStream, Batch
from opsmith.seams.ledger import Ledger, Wanted

# Takes alerts, and entries that belong into the same write.
Take = Callable[[Sequence[Alert], Sequence[Entry]], Awaitable[object]]


class Consumer:
    """Reads one stream from where the ledger says that it was left.

    well: is told whenever the stream answers.
    messages, skipped: how many were read and how many of them were no notification.
    """

    def __init__(
        self,
        stream: AlertStream,
        *,
        ledger: Ledger,
        take: Take,
        well: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._stream = stream
        self._ledger = ledger
        self._take = take
        self._well = well
        self._clock = clock
        self.messages = 0
        self.skipped = 0

    async def follow(self) -> None:
        """Take what arrives until the stream or the ledger fails; begin again by calling again.

        A message that is no notification is recorded with its place and passed over.
        Raises what the stream and the ledger raise; nothing of the failed batch was taken then.
        """
        known = await self._ledger.read(Wanted(kind=OFFSET, latest=True))
        start = {record.entry.subject: to_offset(record) for record in known}
        async with aclosing(self._stream.batches(start)) as batches:
            async for batch in batches:
                self._well()
                if batch.messages:
                    await self._keep(batch)

    async def _keep(self, batch: Batch) -> None:
        now = self._clock()
        alerts: list[Alert] = []
        beside: list[Entry] = []
        for message in batch.messages:
            try:
                alerts += from_webhook(message.body)
            except BadInput as error:
                place, why = f"{batch.place}/{message.offset}", str(error)
                beside.append(of_skipped(place, message.body, why, at=now))
        skipped = len(beside)
        beside.append(of_offset(batch.place, batch.following, at=now))
        await self._take(alerts, beside)
        self.messages += len(batch.messages)
        self.skipped += skipped
