"""The ledger of the settings: one SQLite file in the data folder, or PostgreSQL by URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from opsmith.errors import BadInput
from opsmith.seams.ledger import Ledger
from opsmith.settings import Settings

LEDGER_FILE = "ledger.db"


class OpenLedger(Ledger, Protocol):
    """A ledger that is let go of at the end."""

    def close(self) -> None:
        """Write what was asked, then let go of files and connections; may wait for the disk."""


def open_ledger(settings: Settings) -> OpenLedger:
    """The ledger that the settings name. A server is not asked before the ledger is used.

    Raises `MissingExtra` for a URL without its driver, `BadInput` for a wrong one.
    """
    if settings.ledger_url is None:
        from opsmith.backends.ledger.sqlite import SqliteLedger

        return SqliteLedger(settings.data_dir / LEDGER_FILE)
    from opsmith.backends.ledger.postgres import PostgresLedger

    return PostgresLedger(settings.ledger_url, password=_password(settings))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[OpenLedger]:
    """The ledger for one question, closed at the end."""
    ledger = await asyncio.to_thread(open_ledger, settings)
    try:
        yield ledger
    finally:
        await asyncio.to_thread(ledger.close)


def may_hold_something(settings: Settings) -> bool:
    """False when nothing was ever written here; looking would make a file."""
    return settings.ledger_url is not None or (settings.data_dir / LEDGER_FILE).exists()


def ledger_probes(settings: Settings) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """A small question to a ledger by URL, by its name."""

    async def ask() -> None:
        async with opened(settings) as ledger:
            await ledger.size()

    return {"ledger": ask} if settings.ledger_url else {}


def _password(settings: Settings) -> str:
    """What the password file says, without the line's end; empty without one."""
    path = settings.ledger_password_file
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"The file of OPSMITH_LEDGER_PASSWORD_FILE, {path.name!r}, cannot be read."
        ) from error
