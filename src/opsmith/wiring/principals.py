"""The wiring of principals: the file of the settings, read and added to."""

from __future__ import annotations

import os
from pathlib import Path

from opsmith.audit.principals import (
    Principals as Principals,  # noqa: PLC0414 - faces know it by this name
)
from opsmith.audit.principals import (
    hashed,
    new_key,
    read_principals,
    with_principal,
)
from opsmith.errors import BadInput
from opsmith.nouns.session import Principal
from opsmith.settings import Settings


def principals_of(settings: Settings) -> Principals:
    """Who may come in beside those who show the one key; nobody without a file.

    Raises `BadInput` when a file that was named is not there, or one is wrong.
    """
    path = _path(settings)
    if settings.principals_file is None and not path.exists():
        return Principals({})
    try:
        return read_principals(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The principals file {path.name!r} cannot be read: {error}.") from error


def add_principal(settings: Settings, principal: Principal) -> str:
    """Add one to the file; gives the key, which is kept nowhere."""
    path = _path(settings)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    key = new_key(principal.name)
    written = with_principal(text, principal, hashed(key))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(written)
    part.replace(path)
    return key


def _path(settings: Settings) -> Path:
    return settings.principals_file or settings.data_dir / "principals.yaml"
