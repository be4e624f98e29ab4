"""search_logs: one question to every source of logs, the newest records of all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from opsmith.errors import OpsmithError, Unreachable
from opsmith.nouns.log_line import LogLine, LogQuery, LogsFound
from opsmith.seams.logs import Logs


async def search(sources: Mapping[str, Logs], query: LogQuery) -> LogsFound:
    """The newest records that fit, oldest first; a source that fails is told, not raised.

    Raises `Unreachable` when every source failed.
    """
    answers = await asyncio.gather(
        *(logs.search(query) for logs in sources.values()), return_exceptions=True
    )
    found: list[LogLine] = []
    missing: list[str] = []
    for name, answer in zip(sources, answers, strict=True):
        if isinstance(answer, OpsmithError):
            missing.append(f"{name}: {answer}")
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found.extend(answer)
    if missing and len(missing) == len(sources):
        raise Unreachable(f"No source of logs answered. {' '.join(missing)}")
    found.sort(key=lambda line: line.at)
    return LogsFound(lines=tuple(found[-query.limit :]), missing=tuple(missing))
