"""What every backend of the logs seam promises; each check is given a store of `RECORDS`.

For a backend of your own: write `RECORDS` to what it reads, and call each of `CHECKS` with a
`Store` of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opsmith.nouns.log_line import Level, LogLine, LogQuery
from opsmith.seams.logs import Logs

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

Write = Callable[[Sequence[LogLine]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An open backend that holds `RECORDS`, and how more is written to what it reads."""

    logs: Logs
    write: Write


Check = Callable[[Store], Awaitable[None]]


def record(
    second: int, text: str, *, service: str = "cart", level: Level = Level.INFO, trace: str = ""
) -> LogLine:
    return LogLine(
        at=BEGIN + timedelta(seconds=second),
        level=level,
        service=service,
        text=text,
        trace_id=trace,
    )


RECORDS = (
    record(0, "started"),
    record(10, 'card "7" declined: a.b*c|d', level=Level.WARN),
    record(20, "timeout after 30 s", level=Level.ERROR, trace="0af7651916cd43dd8448eb211c80319c"),
    record(20, "listening", service="pay"),
    record(30, "Timeout again", service="pay", level=Level.ERROR),
    record(40, "密码 ünïcode"),
)


async def check_all_records_come_oldest_first(store: Store) -> None:
    found = await store.logs.search(_query())

    assert [line.at for line in found] == sorted(line.at for line in RECORDS)
    assert {line.text for line in found} == {line.text for line in RECORDS}


async def check_a_record_keeps_its_service_level_and_trace(store: Store) -> None:
    (line,) = await store.logs.search(_query(text="timeout after"))

    assert (line.service, line.level) == ("cart", Level.ERROR)
    assert line.trace_id == "0af7651916cd43dd8448eb211c80319c"


async def check_a_service_is_named_as_it_stands(store: Store) -> None:
    assert len(await store.logs.search(_query(service="pay"))) == 2
    assert await store.logs.search(_query(service='pa"} or {a=~".*')) == ()
    assert await store.logs.search(_query(service="pa.")) == ()


async def check_a_text_is_no_pattern_and_has_any_case(store: Store) -> None:
    assert len(await store.logs.search(_query(text="TIMEOUT"))) == 2
    assert len(await store.logs.search(_query(text='"7" declined: a.b*c|d'))) == 1
    assert await store.logs.search(_query(text="axb*c")) == ()
    assert len(await store.logs.search(_query(text="密码"))) == 1


async def check_a_level_takes_what_is_as_grave(store: Store) -> None:
    assert len(await store.logs.search(_query(level=Level.WARN))) == 3
    assert len(await store.logs.search(_query(level=Level.ERROR))) == 2


async def check_the_start_is_included_and_the_end_is_not(store: Store) -> None:
    start, end = BEGIN + timedelta(seconds=10), BEGIN + timedelta(seconds=30)

    found = await store.logs.search(LogQuery(start=start, end=end))

    assert len(found) == 3


async def check_the_newest_are_taken_when_there_are_too_many(store: Store) -> None:
    found = await store.logs.search(_query(limit=2))

    assert [line.text for line in found] == ["Timeout again", "密码 ünïcode"]


async def check_many_records_are_all_found(store: Store) -> None:
    await store.write([record(100 + n // 1_000, f"number {n}") for n in range(7_000)])

    found = await store.logs.search(_query(text="number", limit=10_000))

    assert len({line.text for line in found}) == 7_000


async def check_who_follows_sees_what_is_new_and_that_once(store: Store) -> None:
    lines, cursor = await store.logs.new("")
    assert lines == ()

    await store.write([record(50, "first"), record(50, "second")])
    lines, cursor = await store.logs.new(cursor)
    assert sorted(line.text for line in lines) == ["first", "second"]

    await store.write([record(50, "third")])
    lines, cursor = await store.logs.new(cursor)
    assert [line.text for line in lines] == ["third"]
    assert (await store.logs.new(cursor))[0] == ()


async def check_a_cursor_may_be_used_again(store: Store) -> None:
    _, cursor = await store.logs.new("")
    await store.write([record(50, "again")])

    assert [line.text for line in (await store.logs.new(cursor))[0]] == ["again"]
    assert [line.text for line in (await store.logs.new(cursor))[0]] == ["again"]


CHECKS: tuple[Check, ...] = tuple(
    check for name, check in sorted(globals().items()) if name.startswith("check_")
)


def _query(
    *, service: str = "", text: str = "", level: Level = Level.UNSET, limit: int = 100
) -> LogQuery:
    return LogQuery(
        start=BEGIN, end=BEGIN + HOUR, service=service, text=text, level=level, limit=limit
    )
