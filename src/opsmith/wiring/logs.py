"""The wiring of logs for a face: searched, followed, told by template."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from opsmith.errors import BadInput, NotFound
from opsmith.nouns.log_line import Level, LogLine, LogQuery, LogsFound
from opsmith.seams.logs import Logs
from opsmith.settings import Settings

# How often a follower looks, seconds.
EVERY_S = 1.0


async def search_logs(settings: Settings, query: LogQuery, *, source: str = "") -> LogsFound:
    """The newest records that fit, of every source or of the one named.

    Raises `BadInput` when no source is known, `NotFound` for a name that is none,
    `Unreachable` when no source answers.
    """
    from opsmith.flows.search_logs import search

    async with _opened(settings, source) as sources:
        return await search(sources, query)


async def tail_logs(
    settings: Settings, *, service: str, level: Level, source: str = ""
) -> AsyncIterator[LogLine]:
    """Records as they are written, until the caller has enough."""
    async with _opened(settings, source) as sources:
        cursors = {name: (await logs.new(""))[1] for name, logs in sources.items()}
        while True:
            for name, logs in sources.items():
                lines, cursors[name] = await logs.new(cursors[name])
                for line in lines:
                    if line.level >= level and service in ("", line.service):
                        yield line
            await asyncio.sleep(EVERY_S)


def level_of(word: str) -> Level:
    """The level that a word names; the least for no word. Raises `BadInput` when it is none."""
    from opsmith.ingest.log_lines import level_named

    return level_named(word) if word else Level.UNSET


def now() -> datetime:
    """The clock of a face, UTC-aware."""
    return datetime.now(UTC)


def by_template(lines: Iterable[LogLine]) -> list[tuple[str, str, int]]:
    """Service, template and number of its records, the most frequent first."""
    from opsmith.ingest.online_templates import OnlineTemplates

    known, mined = list(lines), OnlineTemplates()
    # Twice: the first lines of a template are told by it only once others made it general.
    for line in known:
        mined.template(line.text)
    counts = Counter((line.service, mined.template(line.text)) for line in known)
    return [(service, template, number) for (service, template), number in counts.most_common()]


@asynccontextmanager
async def _opened(settings: Settings, source: str) -> AsyncIterator[dict[str, Logs]]:
    from opsmith.wiring.sources import open_logs

    sources = open_logs(settings)
    async with AsyncExitStack() as stack:
        for logs in sources.values():
            stack.push_async_callback(logs.aclose)
        if not sources:
            raise BadInput(
                "No source of logs is known.",
                hint="Name files or a Loki under `logs:` in the file of OPSMITH_SOURCES_FILE.",
            )
        if source and source not in sources:
            raise NotFound(
                f"{source[:80]!r} is no source of logs: there are {', '.join(sources)}."
            )
        yield {source: sources[source]} if source else sources
