"""The sign seam: who vouches for the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

# (message, signature, public key in DER) -> whether the key's holder signed the message. It needs
# no private key, and a key or signature of another form is simply not valid.
Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]


class Signer(Protocol):
    """Signs with one private key that never leaves it.

    Raises `Unreachable` when the key cannot be read, `MissingExtra` when its library is absent.
    """

    @property
    def algorithm(self) -> str:
        """Its name: `ed25519`, or `sm2` for SM2 with SM3."""

    @property
    def public(self) -> bytes:
        """The public key in DER (SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7)."""

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`."""
