"""Record: one line of the ledger, chained to the line before it."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from opsmith.errors import BadInput

GENESIS = bytes(32)
_PLACES = struct.Struct(">7q")

# seq, at_ms, kind, subject, principal, tenant, body, previous, digest.
Row: TypeAlias = tuple[int, int, str, str, str, str, str, bytes, bytes]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something said or done, before it is on the ledger.

    kind: what sort of thing (`alert`, `incident`, `label`, …); subject: whose latest state it is.
    body: JSON text. at: UTC-aware, kept to the millisecond.
    principal: who did it; tenant: for whom.
    """

    kind: str
    subject: str
    body: str
    at: datetime
    principal: str = "opsmith"
    tenant: str = "default"

    def __post_init__(self) -> None:
        if not self.kind or self.at.tzinfo is None:
            raise BadInput("A ledger entry has a kind and a time with its zone.")
        try:
            f"{self.kind}{self.subject}{self.body}{self.principal}{self.tenant}".encode()
        except UnicodeEncodeError as error:
            raise BadInput(
                "A ledger entry is Unicode text; this one holds half a character."
            ) from error

    @property
    def at_ms(self) -> int:
        """Milliseconds since 1970, exact (no float on the way)."""
        return (self.at - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An entry in its place: seq counts from 1; digest seals it and all before it (32 bytes)."""

    seq: int
    entry: Entry
    previous: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a chain starts after older records were dropped: the last dropped one's seal.

    signature: over seq and digest, empty until somebody signs it.
    """

    seq: int
    digest: bytes
    signature: bytes = b""


START = Checkpoint(seq=0, digest=GENESIS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What checking a chain found. broken_at: seq of the first bad or absent record, or None.

    start, head: between which places it was checked.
    """

    checked: int
    broken_at: int | None
    start: Checkpoint = START
    head: Checkpoint = START

    @property
    def whole(self) -> bool:
        """Whether every record is there and unchanged."""
        return self.broken_at is None


def from_ms(at_ms: int) -> datetime:
    """The time that `Entry.at_ms` counts, UTC-aware."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def link(entry: Entry, *, seq: int, previous: bytes) -> Record:
    """Seal `entry` as record `seq` behind the record whose digest is `previous`.

    SHA-256 over the previous digest, the sequence number, the time and each text with its
    length in front, so that no two different records have the same bytes.
    Source: Haber & Stornetta (1991), How to time-stamp a digital document, section 5.1.
    """
    return Record(
        seq=seq, entry=entry, previous=previous, digest=_seal(entry, seq=seq, previous=previous)
    )


def is_sealed(record: Record) -> bool:
    """Whether the record's digest fits what it says and the digest it names before it."""
    return _seal(record.entry, seq=record.seq, previous=record.previous) == record.digest


def check_chain(records: Iterable[Record], *, after: Checkpoint = START) -> Verdict:
    """Recompute every seal of `records`, which follow `after` without a gap.

    >>> check_chain([]).whole
    True
    """
    return check_rows(map(row_of, records), after=after)


def check_rows(rows: Iterable[Row], *, after: Checkpoint = START) -> Verdict:
    """As `check_chain`, on the plain rows of a store; several times as fast without the values."""
    seq, previous = after.seq, after.digest
    broken: int | None = None
    for row in rows:
        if row[0] != seq + 1:
            broken = seq + 1
            break
        if row[7] != previous or _seal_of(row) != row[8]:
            broken = row[0]
            break
        seq, previous = row[0], row[8]
    head = Checkpoint(seq=seq, digest=previous)
    return Verdict(checked=seq - after.seq, broken_at=broken, start=after, head=head)


def row_of(record: Record) -> Row:
    """The record as a store keeps it."""
    entry = record.entry
    return (
        record.seq,
        entry.at_ms,
        entry.kind,
        entry.subject,
        entry.principal,
        entry.tenant,
        entry.body,
        record.previous,
        record.digest,
    )


def record_of(row: Row) -> Record:
    """The record that a store kept as `row`."""
    seq, at_ms, kind, subject, principal, tenant, body, previous, digest = row
    entry = Entry(
        kind=kind,
        subject=subject,
        body=body,
        at=from_ms(at_ms),
        principal=principal,
        tenant=tenant,
    )
    return Record(seq=seq, entry=entry, previous=previous, digest=digest)


def _seal(entry: Entry, *, seq: int, previous: bytes) -> bytes:
    texts = (entry.kind, entry.subject, entry.principal, entry.tenant, entry.body)
    return _seal_of((seq, entry.at_ms, *texts, previous, b""))


def _seal_of(row: Row) -> bytes:
    """The seal that a row should have; its own digest is not looked at."""
    seq, at_ms, kind, subject, principal, tenant, body, previous, _ = row
    k, s, p, t, b = (
        kind.encode(),
        subject.encode(),
        principal.encode(),
        tenant.encode(),
        body.encode(),
    )
    places = _PLACES.pack(seq, at_ms, len(k), len(s), len(p), len(t), len(b))
    return hashlib.sha256(previous + places + k + s + p + t + b).digest()
