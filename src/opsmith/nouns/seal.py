"""Seal: a signature over a place of the ledger, kept outside of it, so that a cut is seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from opsmith.nouns.record import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Who signed which place, and when. public: the key in DER (SubjectPublicKeyInfo).

    at: UTC-aware, kept to the second. signature: over `message`.
    """

    place: Checkpoint
    algorithm: str
    public: bytes
    at: datetime
    signature: bytes

    @property
    def message(self) -> bytes:
        """What is signed."""
        return message(self.place, algorithm=self.algorithm, at=self.at)


def message(place: Checkpoint, *, algorithm: str, at: datetime) -> bytes:
    r"""The bytes to sign for a place; a text, so that any tool can make them again.

    >>> place = Checkpoint(seq=1, digest=bytes(32))
    >>> message(place, algorithm="ed25519", at=datetime(2026, 1, 1, tzinfo=UTC)).decode()[:43]
    'opsmith ledger\ned25519\n2026-01-01T00:00:00'
    """
    when = at.astimezone(UTC).isoformat(timespec="seconds")
    return f"opsmith ledger\n{algorithm}\n{when}\n{place.seq}\n{place.digest.hex()}\n".encode()
