"""Principals: who may come in, in which role and for which tenant, by a hash of their key.

Source: RFC 7914 (scrypt); the cost is that of OWASP's Password Storage Cheat Sheet, halved twice,
for keys have 256 random bits and are not guessed from words.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from opsmith.errors import BadInput
from opsmith.nouns.session import Principal, Role

# 2^14 blocks of 8 * 128 bytes: 16 MiB and some 40 ms for one guess.
COST, BLOCK, LANES = 2**14, 8, 1
MEMORY_BYTES = 64 * 2**20
SALT_BYTES, KEY_BYTES, DIGEST_BYTES = 16, 32, 32
# Keys that were right are not hashed again; what is remembered is no key.
MOST_REMEMBERED = 1024


class _PrincipalShape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    role: Literal["viewer", "operator", "admin"] = "operator"
    tenant: str = Field(default="default", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    key_hash: str = Field(pattern=r"^scrypt\$[0-9a-f]{32}\$[0-9a-f]{64}$")


class _FileShape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    principals: list[_PrincipalShape]


class Principals:
    """Knows callers by their keys, `NAME.SECRET`."""

    def __init__(self, known: Mapping[str, tuple[Principal, str]]) -> None:
        self._known = known
        self._pepper = secrets.token_bytes(32)
        self._right: dict[bytes, Principal] = {}
        self._nobody = hashed("nobody.nothing")

    def __len__(self) -> int:
        return len(self._known)

    def remembered(self, key: str) -> Principal | None:
        """Whose key it is, when it was shown before; quick."""
        return self._right.get(self._mark(key))

    def who(self, key: str) -> Principal | None:
        """Whose key it is; slow, and as slow for names that nobody has."""
        name = key.rpartition(".")[0]
        principal, wanted = self._known.get(name, (None, self._nobody))
        _, salt, digest = wanted.split("$")
        made = _scrypt(key, bytes.fromhex(salt))
        if not secrets.compare_digest(made, bytes.fromhex(digest)) or principal is None:
            return None
        if len(self._right) >= MOST_REMEMBERED:
            self._right.clear()
        self._right[self._mark(key)] = principal
        return principal

    def _mark(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode("utf-8", "replace"), key=self._pepper).digest()


def read_principals(text: str) -> Principals:
    """The principals of a YAML file. Raises `BadInput` with what is wrong; no key is in it."""
    try:
        shape = _FileShape.model_validate(yaml.safe_load(text) or {"principals": []})
    except yaml.YAMLError as error:
        raise BadInput("The principals file is no YAML.") from error
    except ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise BadInput(f"The principals file is wrong: {'; '.join(told[:5])}.") from error
    known: dict[str, tuple[Principal, str]] = {}
    for one in shape.principals:
        if one.name in known:
            raise BadInput(f"The principal {one.name!r} stands twice in the file.")
        principal = Principal(name=one.name, role=Role(one.role), tenant=one.tenant)
        known[one.name] = (principal, one.key_hash)
    return Principals(known)


def new_key(name: str) -> str:
    """A key for a principal: the name, and 256 random bits."""
    return f"{name}.{secrets.token_urlsafe(KEY_BYTES)}"


def hashed(key: str) -> str:
    """What is kept of a key."""
    salt = secrets.token_bytes(SALT_BYTES)
    return f"scrypt${salt.hex()}${_scrypt(key, salt).hex()}"


def with_principal(text: str, principal: Principal, key_hash: str) -> str:
    """The file with one more principal. Raises `BadInput` when the name is taken or bad."""
    data = yaml.safe_load(text) or {"principals": []}
    data["principals"].append(
        {
            "name": principal.name,
            "role": str(principal.role),
            "tenant": principal.tenant,
            "key_hash": key_hash,
        }
    )
    written: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    read_principals(written)
    return written


def _scrypt(key: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        key.encode("utf-8", "replace"),
        salt=salt,
        n=COST,
        r=BLOCK,
        p=LANES,
        maxmem=MEMORY_BYTES,
        dklen=DIGEST_BYTES,
    )
