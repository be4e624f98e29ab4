"""SM2 signatures with SM3 (GB/T 32918.2, GB/T 32905), by the gmssl library.

Keys and signatures have the DER forms that OpenSSL reads; the signer's id is the standard's
default, 1234567812345678.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from opsmith.backends.sign.key_file import private_key
from opsmith.errors import MissingExtra, Unreachable

try:
    from gmssl.sm2 import CryptSM2
except ImportError:  # the extra is not installed; said when a signer is made
    CryptSM2 = None

# SubjectPublicKeyInfo of an uncompressed point: id-ecPublicKey with the curve SM2P256V1
# (1.2.156.10197.1.301), then the bit string of the point.
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
_HALF = 64  # hexadecimal digits of a number below the order of the curve
_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


class Sm2Signer:
    """Signs with the private number (64 hexadecimal digits) in a file."""

    algorithm = "sm2"

    def __init__(self, path: Path) -> None:
        _need_gmssl()
        text = private_key(path, _new).decode("ascii", "replace").strip()
        if len(text) != _HALF or not _is_hex(text) or not 0 < int(text, 16) < _ORDER - 1:
            raise Unreachable(f"{path.name!r} holds no SM2 private key.")
        curve = CryptSM2(private_key=text, public_key="")
        self._point: str = curve._kg(int(text, 16), curve.ecc_table["g"])  # noqa: SLF001 - the library has no public call for it
        self._signer = CryptSM2(private_key=text, public_key=self._point, asn1=False)

    @property
    def public(self) -> bytes:
        """The public key in DER."""
        return _SPKI + bytes.fromhex(self._point)

    def sign(self, message: bytes) -> bytes:
        """The two numbers in DER."""
        told: str = self._signer.sign_with_sm3(message)
        return encode_dss_signature(int(told[:_HALF], 16), int(told[_HALF:], 16))


def verify(message: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the holder of `public` signed `message`; a key of another kind did not.

    Raises `MissingExtra`.
    """
    _need_gmssl()
    if len(public) != len(_SPKI) + _HALF or not public.startswith(_SPKI):
        return False
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        return False
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        return False
    point = public.removeprefix(_SPKI).hex()
    checker = CryptSM2(private_key="", public_key=point, asn1=False)
    return bool(checker.verify_with_sm3(f"{r:064x}{s:064x}", message))


def _need_gmssl() -> None:
    if CryptSM2 is None:
        raise MissingExtra(
            "SM2 signatures need gmssl.", hint="Install it: pip install 'opsmith[sm]'."
        )


def _new() -> bytes:
    return f"{1 + secrets.randbelow(_ORDER - 2):064x}\n".encode()


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in text)
