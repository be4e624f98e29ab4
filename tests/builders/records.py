"""What a process that has ended left on its ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.nouns.record import Record
from opsmith.seams.ledger import Wanted


def kept(folder: Path, kind: str) -> list[Record]:
    """The records of one kind in a data folder, oldest first."""
    ledger = SqliteLedger(folder / "ledger.db")
    try:
        return list(asyncio.run(ledger.read(Wanted(kind=kind))))
    finally:
        ledger.close()
