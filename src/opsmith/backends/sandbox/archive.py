"""Archive: what programs wrote, in the data folder; redacted, and never more than so much."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from opsmith.nouns.redaction import redact
from opsmith.seams.sandbox import Ran

# The oldest go first; with the longest of each this is 64 MiB.
MOST_LOGS = 1000
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")


class LogArchive:
    """One file a run below `folder`, which is made when the first one comes."""

    def __init__(self, folder: Path, *, most: int = MOST_LOGS) -> None:
        self._folder = folder
        self._most = most

    async def keep(self, name: str, ran: Ran) -> str:
        """Write the end of an output, without its secrets; where it lies."""
        return await asyncio.to_thread(self._keep, name, ran)

    def _keep(self, name: str, ran: Ran) -> str:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._folder / f"{_UNFIT.sub('_', name)[:200]}.log"
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode=0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as opened:
            opened.write(redact(ran.output))
        kept = sorted(self._folder.glob("*.log"), key=lambda one: one.stat().st_mtime)
        for old in kept[: -self._most]:
            old.unlink(missing_ok=True)
        return str(file)
