"""seal: the head of the ledger signed, the seals kept beside it, and both held together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opsmith.audit.seals import Audit, audit
from opsmith.nouns.record import START, Checkpoint, Entry
from opsmith.nouns.seal import Seal, message
from opsmith.seams.ledger import Ledger, Wanted
from opsmith.seams.sign import Signer, Verify

SEAL = "seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealBook:
    """Where seals are kept, apart from the ledger. add: durable when it returns."""

    read: Callable[[], tuple[Seal, ...]]
    add: Callable[[Sequence[Seal]], None]


async def seal(
    ledger: Ledger,
    signer: Signer,
    book: SealBook,
    *,
    now: datetime,
    start: Checkpoint = START,
) -> Seal:
    """Sign the head, and the checkpoint that the chain starts at when nobody has.

    Whoever calls this has checked the ledger, or wrote all of it since the last seal.
    """
    entry = Entry(kind=SEAL, subject="head", body="{}", at=now)
    (record,) = await ledger.append([entry], durable=True)
    places = [Checkpoint(seq=record.seq, digest=record.digest)]
    if start.seq and start.seq not in {one.place.seq for one in book.read()}:
        places.insert(0, Checkpoint(seq=start.seq, digest=start.digest))
    made = [_signed(place, signer, now) for place in places]
    book.add(made)
    return made[-1]


async def check(
    ledger: Ledger,
    book: SealBook,
    *,
    verifiers: Mapping[str, Verify],
    trusted: bytes | None = None,
) -> Audit:
    """Check the chain, the signatures, and that every sealed place is still as it was.

    verifiers: by algorithm; a seal of another one does not hold.
    """
    verdict = await ledger.verify()
    seals = book.read()
    digests = {
        record.seq: record.digest
        for one in seals
        for record in await ledger.read(Wanted(after=one.place.seq - 1, limit=1))
        if record.seq == one.place.seq
    }

    return audit(verdict, seals, digests, verifiers=verifiers, trusted=trusted)


def _signed(place: Checkpoint, signer: Signer, now: datetime) -> Seal:
    at = now.replace(microsecond=0)
    return Seal(
        place=place,
        algorithm=signer.algorithm,
        public=signer.public,
        at=at,
        signature=signer.sign(message(place, algorithm=signer.algorithm, at=at)),
    )
