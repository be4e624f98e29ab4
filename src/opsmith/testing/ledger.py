"""A ledger in memory, and the promises that every ledger keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opsmith.errors import Conflict
from opsmith.nouns.record import START, Checkpoint, Entry, Record, Verdict, check_chain, link
from opsmith.seams.ledger import Ledger, LedgerSize, Seen, Wanted

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class MemoryLedger:
    """Keeps the ledger's promises for as long as the process lives."""

    def __init__(self) -> None:
        self._start: Checkpoint = START
        self._records: list[Record] = []
        self._latest: dict[tuple[str, str], Record] = {}

    async def append(
        self, entries: Sequence[Entry], *, durable: bool, seen: Sequence[Seen] = ()
    ) -> tuple[Record, ...]:
        for one in seen:
            newest = self._latest.get((one.kind, one.subject))
            if (newest.seq if newest else 0) != one.seq:
                raise Conflict(f"{one.kind} {one.subject} has changed meanwhile.")
        added = []
        for entry in entries:
            last = self._records[-1] if self._records else None
            seq = last.seq if last else self._start.seq
            previous = last.digest if last else self._start.digest
            record = link(entry, seq=seq + 1, previous=previous)
            self._records.append(record)
            self._latest[(entry.kind, entry.subject)] = record
            added.append(record)
        return tuple(added)

    async def read(self, wanted: Wanted) -> tuple[Record, ...]:
        source = self._latest.values() if wanted.latest else self._records
        found = [
            record
            for record in sorted(source, key=lambda record: record.seq)
            if record.seq > wanted.after
            and wanted.kind in ("", record.entry.kind)
            and wanted.subject in ("", record.entry.subject)
        ]
        return tuple(found[: wanted.limit])

    async def verify(self) -> Verdict:
        return check_chain(self._records, after=self._start)

    async def forget(self, *, before: datetime) -> int:
        young = (n for n, record in enumerate(self._records) if record.entry.at >= before)
        count = next(young, len(self._records))
        if count:
            last = self._records[count - 1]
            self._start = Checkpoint(seq=last.seq, digest=last.digest)
            del self._records[:count]
        return count

    async def backup(self, target: Path) -> None:
        text = "\n".join(record.entry.body for record in self._records)
        await asyncio.to_thread(target.write_text, text, "utf-8")

    async def size(self) -> LedgerSize:
        used = sum(len(record.entry.body) for record in self._records)
        return LedgerSize(records=len(self._records), file_bytes=used, log_bytes=0, free_bytes=0)


def entry(number: int, *, kind: str = "alert", subject: str | None = None) -> Entry:
    return Entry(
        kind=kind,
        subject=f"s{number}" if subject is None else subject,
        body=f'{{"n":{number}}}',
        at=NOON + timedelta(seconds=number),
    )


async def check_records_are_chained_in_the_order_given(ledger: Ledger) -> None:
    first = await ledger.append([entry(1), entry(2)], durable=True)
    second = await ledger.append([entry(3)], durable=False)

    assert [record.seq for record in (*first, *second)] == [1, 2, 3]
    assert second[0].previous == first[1].digest
    assert await ledger.read(Wanted()) == (*first, *second)
    verdict = await ledger.verify()
    assert (verdict.checked, verdict.whole) == (3, True)
    assert (verdict.start, verdict.head.seq, verdict.head.digest) == (START, 3, second[0].digest)


async def check_reading_takes_only_what_is_wanted(ledger: Ledger) -> None:
    await ledger.append([entry(1), entry(2, kind="label"), entry(3)], durable=True)

    assert [r.seq for r in await ledger.read(Wanted(kind="alert"))] == [1, 3]
    assert [r.seq for r in await ledger.read(Wanted(subject="s2"))] == [2]
    assert [r.seq for r in await ledger.read(Wanted(after=1, limit=1))] == [2]


async def check_the_latest_state_of_a_subject_outlives_retention(ledger: Ledger) -> None:
    await ledger.append([entry(1, subject="a"), entry(2, subject="a"), entry(3)], durable=True)

    assert await ledger.forget(before=NOON + timedelta(seconds=3)) == 2

    assert [r.seq for r in await ledger.read(Wanted())] == [3]
    assert [r.seq for r in await ledger.read(Wanted(subject="a", latest=True))] == [2]


async def check_a_shortened_ledger_still_verifies_and_grows(ledger: Ledger) -> None:
    await ledger.append([entry(n) for n in range(1, 6)], durable=True)
    await ledger.forget(before=NOON + timedelta(seconds=4))

    (added,) = await ledger.append([entry(6)], durable=True)

    assert added.seq == 6
    verdict = await ledger.verify()
    assert (verdict.checked, verdict.whole, verdict.start.seq) == (3, True, 3)


async def check_forgetting_everything_keeps_the_count(ledger: Ledger) -> None:
    await ledger.append([entry(1), entry(2)], durable=True)

    assert await ledger.forget(before=NOON + timedelta(days=1)) == 2
    assert await ledger.forget(before=NOON + timedelta(days=1)) == 0

    (added,) = await ledger.append([entry(3)], durable=True)
    assert added.seq == 3
    assert (await ledger.verify()).whole


async def check_any_text_is_kept_as_it_is(ledger: Ledger) -> None:
    odd = Entry(kind="log", subject="'; DROP TABLE record; --", body='"\u2028\x00\'"', at=NOON)

    await ledger.append([odd], durable=True)

    assert [record.entry for record in await ledger.read(Wanted())] == [odd]
    assert (await ledger.verify()).whole


async def check_a_backup_appears_and_the_size_is_told(ledger: Ledger, folder: Path) -> None:
    await ledger.append([entry(1)], durable=True)

    await ledger.backup(folder / "copy")

    assert (folder / "copy").stat().st_size > 0
    assert (await ledger.size()).records == 1


async def check_of_two_writers_that_saw_the_same_one_goes_on(ledger: Ledger) -> None:
    (first,) = await ledger.append([entry(1, subject="a")], durable=True)
    seen = Seen(kind="alert", subject="a", seq=first.seq)

    results = await asyncio.gather(
        ledger.append([entry(2, subject="a")], durable=True, seen=[seen]),
        ledger.append([entry(3, subject="a")], durable=True, seen=[seen]),
        ledger.append([entry(4, subject="b")], durable=True),
        return_exceptions=True,
    )

    assert [isinstance(one, Conflict) for one in results].count(True) == 1
    assert not isinstance(results[2], BaseException)
    assert len(await ledger.read(Wanted())) == 3
    assert (await ledger.verify()).whole


async def check_a_subject_can_be_claimed_while_it_has_no_state(ledger: Ledger) -> None:
    fresh = Seen(kind="alert", subject="a", seq=0)

    await ledger.append([entry(1, subject="a")], durable=True, seen=[fresh])
    results = await asyncio.gather(
        ledger.append([entry(2, subject="a")], durable=True, seen=[fresh]), return_exceptions=True
    )

    assert isinstance(results[0], Conflict)
    assert len(await ledger.read(Wanted())) == 1


async def check_who_stops_waiting_stops_nobody_else(ledger: Ledger) -> None:
    gone = [asyncio.create_task(ledger.append([entry(n)], durable=True)) for n in range(1, 200)]
    await asyncio.sleep(0)
    for task in gone[::2]:
        task.cancel()

    await asyncio.gather(*gone, return_exceptions=True)
    (added,) = await ledger.append([entry(200)], durable=True)

    assert (await ledger.read(Wanted()))[-1] == added
    assert (await ledger.verify()).whole
