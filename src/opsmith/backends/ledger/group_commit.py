"""One writer thread a ledger: everything that waits goes into one transaction."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias

from opsmith.errors import Conflict, OpsmithError
from opsmith.nouns.record import Entry, Record, link
from opsmith.seams.ledger import Seen

# Most entries in one transaction: keeps the wait of the first one short.
GROUP = 512

# What one ask is told: its records, or that it saw an old state.
Answer: TypeAlias = tuple[Record, ...] | Conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Entries that somebody wants on the ledger."""

    entries: tuple[Entry, ...]
    durable: bool
    seen: tuple[Seen, ...]
    future: Future[tuple[Record, ...]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """What a group becomes. records: all that is to be written; answers: one for each ask."""

    records: Sequence[Record]
    answers: Sequence[Answer]


class GroupCommit:
    """Hands groups of asks to `write`, in a thread of its own, and each its answer.

    write: gives one answer for each ask, or raises for all of them.
    """

    def __init__(self, write: Callable[[Sequence[Ask]], Sequence[Answer]]) -> None:
        self._write = write
        self._asks: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_forever, name="ledger", daemon=True)
        self._thread.start()

    async def append(
        self, entries: Sequence[Entry], *, durable: bool, seen: Sequence[Seen]
    ) -> tuple[Record, ...]:
        """Put entries into the next group."""
        ask = Ask(entries=tuple(entries), durable=durable, seen=tuple(seen))
        self._asks.put(ask)
        return await asyncio.wrap_future(ask.future)

    def close(self, *, within_s: float | None = None) -> None:
        """Write what was asked so far, for as long as `within_s` allows."""
        self._asks.put(None)
        self._thread.join(within_s)

    def _write_forever(self) -> None:
        while (first := self._asks.get()) is not None:
            group, closing = self._gather(first)
            self._serve(group)
            if closing:
                return

    def _gather(self, first: Ask) -> tuple[list[Ask], bool]:
        """Everything that waits already: one sync to disk then serves them all."""
        group, entries = [first], len(first.entries)
        while entries < GROUP:
            try:
                ask = self._asks.get_nowait()
            except queue.Empty:
                return group, False
            if ask is None:
                return group, True
            group.append(ask)
            entries += len(ask.entries)
        return group, False

    def _serve(self, group: Sequence[Ask]) -> None:
        # Who was cancelled is written all the same, but told nothing.
        waiting = [ask.future.set_running_or_notify_cancel() for ask in group]
        answers: Sequence[tuple[Record, ...] | OpsmithError]
        try:
            answers = self._write(group)
        except OpsmithError as error:
            answers = [error] * len(group)
        for ask, waits, answer in zip(group, waiting, answers, strict=True):
            if waits and isinstance(answer, OpsmithError):
                ask.future.set_exception(answer)
            elif waits and not isinstance(answer, OpsmithError):
                ask.future.set_result(answer)


def chain(
    group: Sequence[Ask], *, seq: int, previous: bytes, newest: Callable[[Seen], int]
) -> Chained:
    """The records of a group behind place `seq`; who saw an old state is left out and told.

    newest: the place of a subject's newest state in the store, 0 for none.
    """
    answers: list[Answer] = []
    written: list[Record] = []
    moved: dict[tuple[str, str], int] = {}
    for ask in group:
        late = next(
            (one for one in ask.seen if moved.get(_key(one), newest(one)) != one.seq), None
        )
        if late is not None:
            answers.append(Conflict(f"{late.kind} {late.subject[:80]} has changed meanwhile."))
            continue
        records = tuple(_linked(ask.entries, seq=seq, previous=previous))
        if records:
            seq, previous = records[-1].seq, records[-1].digest
        moved |= {(one.entry.kind, one.entry.subject): one.seq for one in records}
        written += records
        answers.append(records)
    return Chained(records=written, answers=answers)


def _key(seen: Seen) -> tuple[str, str]:
    return seen.kind, seen.subject


def _linked(entries: Sequence[Entry], *, seq: int, previous: bytes) -> Iterator[Record]:
    for entry in entries:
        record = link(entry, seq=seq + 1, previous=previous)
        seq, previous = record.seq, record.digest
        yield record
