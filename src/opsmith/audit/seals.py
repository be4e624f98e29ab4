"""Seals as lines of a file beside the ledger, and what is wrong between the two."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opsmith.errors import BadInput
from opsmith.nouns.record import Checkpoint, Verdict
from opsmith.nouns.seal import Seal
from opsmith.seams.sign import Verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found.

    sealed_to: the last place that a valid seal vouches for, 0 for none. faults: in words.
    unsealed_start: the chain starts where no seal vouches for it yet, as after a clean-up.
    """

    verdict: Verdict
    sealed_to: int
    faults: tuple[str, ...]
    unsealed_start: bool = False

    @property
    def sealable(self) -> bool:
        """Whether nothing is wrong that a new seal would not mend."""
        return self.verdict.whole and len(self.faults) == self.unsealed_start

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict.whole and not self.faults


def to_line(seal: Seal) -> str:
    """One line of JSON, with its line break."""
    told = {
        "seq": seal.place.seq,
        "digest": seal.place.digest.hex(),
        "algorithm": seal.algorithm,
        "public": seal.public.hex(),
        "at": seal.at.isoformat(timespec="seconds"),
        "signature": seal.signature.hex(),
    }
    return json.dumps(told) + "\n"


def from_line(line: str) -> Seal:
    """The seal of a line. Raises `BadInput`."""
    try:
        told = json.loads(line)
        return Seal(
            place=Checkpoint(seq=int(told["seq"]), digest=bytes.fromhex(told["digest"])),
            algorithm=str(told["algorithm"]),
            public=bytes.fromhex(told["public"]),
            at=datetime.fromisoformat(told["at"]),
            signature=bytes.fromhex(told["signature"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"This is no seal: {line[:60]!r}.") from error


def audit(
    verdict: Verdict,
    seals: Sequence[Seal],
    digests: Mapping[int, bytes],
    *,
    verifiers: Mapping[str, Verify],
    trusted: bytes | None,
) -> Audit:
    """Hold the seals against the chain.

    digests: of the records at the places of the seals, by seq, where they are there.
    verifiers: by algorithm; a seal of another one does not hold.
    trusted: the only key that counts, in DER; None takes that of the first seal, which at least
    cannot change unseen.
    """
    key = trusted or (seals[0].public if seals else None)
    faults = list(_chain_faults(verdict))
    sealed_to = 0
    for seal in seals:
        fault = _fault(seal, verdict, digests, verifiers=verifiers, key=key)
        if fault:
            faults.append(fault)
        else:
            sealed_to = max(sealed_to, seal.place.seq)
    bare = _is_bare(verdict, seals)
    if bare:
        faults.append(
            f"the chain starts after record {verdict.start.seq}, and no seal vouches for that"
        )
    return Audit(verdict=verdict, sealed_to=sealed_to, faults=tuple(faults), unsealed_start=bare)


def _chain_faults(verdict: Verdict) -> Iterable[str]:
    if verdict.broken_at is not None:
        yield f"record {verdict.broken_at} was changed, or is gone"


def _fault(
    seal: Seal,
    verdict: Verdict,
    digests: Mapping[int, bytes],
    *,
    verifiers: Mapping[str, Verify],
    key: bytes | None,
) -> str:
    """What a seal says against the ledger, empty for nothing."""
    seq = seal.place.seq
    if seal.public != key:
        return f"the seal of record {seq} is by another key"
    verify = verifiers.get(seal.algorithm)
    if verify is None or not verify(seal.message, seal.signature, seal.public):
        return f"the seal of record {seq} is not by the key that it names"
    if seq > verdict.head.seq and verdict.whole:
        return f"record {seq} was sealed and is gone: the ledger was cut after {verdict.head.seq}"
    if seq in digests and digests[seq] != seal.place.digest:
        return f"record {seq} is not the one that was sealed"
    return ""


def _is_bare(verdict: Verdict, seals: Sequence[Seal]) -> bool:
    """After retention the chain starts at a checkpoint; a seal must vouch for it."""
    start = Checkpoint(seq=verdict.start.seq, digest=verdict.start.digest)
    return start.seq > 0 and bool(seals) and start not in [seal.place for seal in seals]
