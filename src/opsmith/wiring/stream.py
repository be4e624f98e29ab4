"""The stream of notifications that the settings name, joined to the inbox."""

from __future__ import annotations

from collections.abc import Sequence

from opsmith.flows.consume import Consumer
from opsmith.flows.receive import Inbox
from opsmith.nouns.record import Entry
from opsmith.nouns.signals import Alert
from opsmith.seams.ledger import Ledger
from opsmith.settings import Settings
from opsmith.wiring.looks import now
from opsmith.wiring.troubles import Troubles


def consumer(
    settings: Settings, *, ledger: Ledger, inbox: Inbox, troubles: Troubles
) -> Consumer | None:
    """The reader of the topic, None when there is none.

    Raises `MissingExtra` without the client, `BadInput` for a wrong address.
    """
    if settings.kafka_url is None:
        return None
    from opsmith.backends.alerts.kafka import KafkaAlerts

    async def take(alerts: Sequence[Alert], beside: Sequence[Entry]) -> None:
        await inbox.receive(alerts, now=now(), beside=beside)

    stream = KafkaAlerts(settings.kafka_url, password=settings.kafka_password)

    def well() -> None:
        troubles.note("kafka", "")

    return Consumer(stream, ledger=ledger, take=take, well=well, clock=now)
