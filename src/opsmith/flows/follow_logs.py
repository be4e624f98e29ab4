"""follow_logs: what services log goes the way of what is sent to us, each record at least once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opsmith.ingest.log_lines import request_of
from opsmith.seams.logs import Logs
from opsmith.seams.state import StateStore

KIND = "log-cursors"

Take = Callable[[Mapping[str, object]], None]


class Follower:
    """Follows one source of logs. take: is given what is new, as an export request of OTLP.

    The place in the source is kept once its records are taken; after a restart it goes on there.
    """

    def __init__(self, name: str, logs: Logs, *, store: StateStore, take: Take) -> None:
        self._kept_as = f"{KIND}-{name}"
        self._logs = logs
        self._store = store
        self._take = take

    async def step(self) -> None:
        """Take what is new. Raises what the source raises, and then its place stays."""
        kept = await self._store.load(self._kept_as)
        cursor = kept.decode() if kept else ""
        lines, after = await self._logs.new(cursor)
        if lines:
            self._take(request_of(lines))
        if after != cursor:
            await self._store.save(self._kept_as, after.encode())
