"""The logs seam: where records of logs are searched and followed."""

from __future__ import annotations

from typing import Protocol

from opsmith.nouns.log_line import LogLine, LogQuery


class Logs(Protocol):
    """Knows what services logged.

    Raises `Unreachable` when the store does not answer, `BadAnswer` when it answers nonsense,
    `BadInput` when it rejects the question or a file cannot be read.
    """

    async def search(self, query: LogQuery) -> tuple[LogLine, ...]:
        """The newest records that fit, oldest first."""

    async def new(self, cursor: str) -> tuple[tuple[LogLine, ...], str]:
        """What was logged after `cursor`, and the cursor after that.

        An empty cursor begins now. Who keeps the cursor once the records are safe sees each
        record at least once; a record half written is given when it is whole.
        """

    async def aclose(self) -> None:
        """Let go of files and connections."""
