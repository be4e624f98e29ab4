"""Own pages: of the ledger what one principal sees."""

from __future__ import annotations

from opsmith.nouns.record import Record
from opsmith.nouns.session import Principal
from opsmith.seams.ledger import Readable, Wanted


class OwnPages:
    """The records of the tenants that `by` sees, as if there were no others."""

    def __init__(self, ledger: Readable, by: Principal) -> None:
        self._ledger = ledger
        self._by = by

    async def read(self, wanted: Wanted) -> tuple[Record, ...]:
        """The wanted records by rising seq; the limit counts also those that are left out."""
        found = await self._ledger.read(wanted)
        return tuple(one for one in found if self._by.sees(one.entry.tenant))
