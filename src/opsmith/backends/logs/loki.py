"""Logs from Loki's HTTP API.

Source: Grafana Loki documentation, "HTTP API", GET /loki/api/v1/query_range, and "LogQL".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from http import HTTPStatus

import orjson

from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.nouns.log_line import LogLine, LogQuery
from opsmith.seams.wire import Wire

# Loki's default max_entries_limit_per_query.
PAGE = 5_000
# A search that needs more pages than this is told to narrow itself by taking what it has.
MOST_PAGES = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_REASON = 300

# One entry: nanoseconds, the stream's labels with what was told of the line, the line.
Entry = tuple[int, tuple[tuple[str, str], ...], str]
# Turns a line of a service from a stream into a record; `now` stands in for a time.
Read = Callable[[str, str, str, datetime], LogLine]


class LokiLogs:
    """The logs seam over one Loki. Close it when done.

    service_label: the stream label that names the service. selector: LogQL matchers, without
    braces, that every question keeps to. read: turns a line into a record.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        read: Read,
        clock: Callable[[], datetime],
        service_label: str = "service_name",
        selector: str = "",
    ) -> None:
        self._wire = wire
        self._read = read
        self._clock = clock
        self._label = service_label
        self._selector = selector

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    async def search(self, query: LogQuery) -> tuple[LogLine, ...]:
        """The newest records that fit, asked page by page backwards in time."""
        logql = self._logql(query.service, query.text)
        start, end = _nanos(query.start), _nanos(query.end)
        seen: set[Entry] = set()
        found: list[LogLine] = []
        for _ in range(MOST_PAGES):
            page = await self._page(logql, start, end, direction="backward")
            fresh = [entry for entry in page if entry not in seen]
            seen.update(fresh)
            found.extend(line for entry in fresh if query.fits(line := self._line(entry)))
            if len(page) < PAGE or len(found) >= query.limit:
                break
            oldest = min(at for at, _, _ in page)
            # The end is not included: once more the oldest moment, which a page may cut.
            end = oldest + 1 if fresh and oldest + 1 < end else oldest
        found.sort(key=lambda line: line.at)
        return tuple(found[-query.limit :])

    async def new(self, cursor: str) -> tuple[tuple[LogLine, ...], str]:
        """What Loki took in after `cursor`; an empty one begins now."""
        now = _nanos(self._clock())
        after, known = _loaded(cursor)
        if after is None:
            return (), _cursor(now, frozenset())
        page = await self._page(self._logql("", ""), after, now + 1, direction="forward")
        fresh = sorted(entry for entry in page if _print(entry) not in known)
        last = max((at for at, _, _ in page), default=after)
        if len(page) >= PAGE and last == after:
            last += 1  # a moment with more lines than a page holds; what is beyond it goes on
        held = frozenset(_print(entry) for entry in page if entry[0] == last)
        return tuple(map(self._line, fresh)), _cursor(
            last, held | known if last == after else held
        )

    async def _page(self, logql: str, start: int, end: int, *, direction: str) -> list[Entry]:
        asked = (
            ("query", logql),
            ("start", str(start)),
            ("end", str(end)),
            ("limit", str(PAGE)),
            ("direction", direction),
        )
        answer = await self._wire.get("loki/api/v1/query_range", asked)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unreachable(f"{self._wire.where} failed (HTTP {answer.status}).")
        if answer.status == HTTPStatus.BAD_REQUEST:
            reason = answer.content.decode("utf-8", "replace")[:_LONGEST_REASON]
            raise BadInput(f"{self._wire.where} rejects the query: {reason}")
        try:
            return list(_entries(orjson.loads(answer.content)))
        except (orjson.JSONDecodeError, TypeError, ValueError, KeyError) as error:
            raise BadAnswer(
                f"{self._wire.where} answered no Loki JSON (HTTP {answer.status})."
            ) from error

    def _logql(self, service: str, text: str) -> str:
        """The question in LogQL; strangers' words stand in it as quoted strings."""
        named = f"{self._label}={json.dumps(service)}" if service else f'{self._label}=~".+"'
        inside = f"{self._selector},{named}" if self._selector else named
        wanted = f" |~ {json.dumps('(?i)' + _literal(text))}" if text else ""
        return f"{{{inside}}}{wanted}"

    def _line(self, entry: Entry) -> LogLine:
        nanos, labels, text = entry
        told = dict(labels)
        at = _EPOCH + timedelta(microseconds=nanos // 1_000)
        service = told.get(self._label, "")
        line = self._read(text, service, told.get("detected_level") or told.get("level", ""), at)
        trace = told.get("trace_id", line.trace_id)
        # Loki's own word on time and stream beats what the text says.
        return replace(line, at=at, service=service or line.service, trace_id=trace)


def _entries(told: object) -> Iterator[Entry]:
    if not isinstance(told, dict) or told.get("status") != "success":
        raise ValueError("no success")
    for stream in told["data"]["result"]:
        for value in stream["values"]:
            more: Mapping[str, object] = {}
            if len(value) > 2 and isinstance(value[2], dict):  # noqa: PLR2004 - time, line, more
                more = value[2].get("structuredMetadata", value[2])
            labels = {**stream["stream"], **more}
            pairs = tuple(sorted((str(key), str(one)) for key, one in labels.items()))
            yield int(value[0]), pairs, str(value[1])


def _literal(text: str) -> str:
    """The text as a pattern of RE2 that fits nothing else."""
    return "".join(f"\\{sign}" if sign in r"\.+*?()|[]{}^$" else sign for sign in text)


def _nanos(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000


def _print(entry: Entry) -> str:
    """What tells entries of one moment apart, the same in every process."""
    return blake2b(repr(entry).encode(), digest_size=8).hexdigest()


def _cursor(after: int, known: frozenset[str]) -> str:
    return orjson.dumps([after, sorted(known)]).decode()


def _loaded(cursor: str) -> tuple[int | None, frozenset[str]]:
    try:
        after, known = orjson.loads(cursor) if cursor else (None, [])
        return after, frozenset(known)
    except (orjson.JSONDecodeError, TypeError, ValueError):
        return None, frozenset()
