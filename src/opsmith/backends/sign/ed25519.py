"""Ed25519 (RFC 8032), by the cryptography library."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from opsmith.backends.sign.key_file import private_key
from opsmith.errors import Unreachable


class Ed25519Signer:
    """Signs with the PKCS #8 key in a PEM file."""

    algorithm = "ed25519"

    def __init__(self, path: Path) -> None:
        try:
            key = serialization.load_pem_private_key(private_key(path, _new), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Unreachable(f"{path.name!r} holds no private key in PEM.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise Unreachable(f"{path.name!r} holds a key of another algorithm than Ed25519.")
        self._key = key

    @property
    def public(self) -> bytes:
        """The public key in DER."""
        return self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


def verify(message: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the holder of `public` signed `message`; a key of another kind did not."""
    try:
        key = serialization.load_der_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        return False
    if not isinstance(key, Ed25519PublicKey):
        return False
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _new() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
