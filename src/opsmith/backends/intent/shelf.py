"""The shelf: a folder of adapters, and a small file that says which one is in use.

A tenant may have a shelf of its own; behind its adapters stands whatever all others are served.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opsmith.backends.intent.adapter import MANIFEST, Adapter, load, save
from opsmith.errors import BadInput, Conflict, NotFound, Unreachable

SHIPPED, SHARED = "shipped", "shared"
TENANTS = "tenants"
_ACTIVE = "active.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# Names that rollback can go back to; older ones stay on the shelf.
_REMEMBERED = 20


@dataclass(frozen=True, slots=True)
class Shelf:
    """Adapters under `root`, each a folder of its own; `shipped` is the one opsmith comes with.

    behind: of a tenant's shelf, the one that all share.
    """

    root: Path
    shipped: Path
    behind: Shelf | None = None

    @property
    def last(self) -> str:
        """What is in use when nothing was chosen: `shared` for a tenant, else `shipped`."""
        return SHIPPED if self.behind is None else SHARED

    def of(self, tenant: str) -> Shelf:
        """The shelf of a tenant, whose adapters serve nobody else; it may not exist yet."""
        return Shelf(self.root / TENANTS / _folder_name(tenant), self.shipped, self)

    def names(self) -> tuple[str, ...]:
        """Every adapter there is, the one that stands behind all first."""
        found = sorted(path.parent.name for path in self.root.glob(f"*/{MANIFEST}"))
        return (self.last, *(name for name in found if _NAME.fullmatch(name)))

    def active(self) -> str:
        """The name of the adapter in use."""
        return self._history()[0]

    def folder(self, name: str) -> Path:
        """Where an adapter stands. Raises `NotFound` when there is none of that name."""
        if name == self.last:
            return (
                self.shipped if self.behind is None else self.behind.folder(self.behind.active())
            )
        if not _NAME.fullmatch(name) or not (self.root / name / MANIFEST).is_file():
            raise NotFound(
                f"There is no adapter {name[:64]!r}: {', '.join(self.names())}.",
                hint="Train one: `opsmith intent train DATA.jsonl --name NAME`.",
            )
        return self.root / name

    def add(self, name: str, adapter: Adapter) -> Adapter:
        """Put a new adapter on the shelf; it is not in use yet."""
        if not _NAME.fullmatch(name) or name in {SHIPPED, SHARED, TENANTS}:
            raise BadInput(
                f"{name[:64]!r} cannot name an adapter.", hint="Use a-z, 0-9, dot, dash."
            )
        return save(adapter, self.root / name)

    def use(self, name: str) -> Adapter:
        """Make an adapter the one in use; the one before can be gone back to."""
        adapter = load(self.folder(name))
        self._write([name, *(one for one in self._history() if one != name)])
        return adapter

    def rollback(self) -> str:
        """Go back to the adapter in use before. Raises `Conflict` when there was none."""
        history = self._history()
        if len(history) == 1:
            raise Conflict("There is no adapter to go back to.")
        self.folder(history[1])
        self._write(history[1:], back=True)
        return history[1]

    def went_back(self) -> bool:
        """Whether somebody went back to what is in use, knowing what it is worth."""
        return self._stored().get("back") is True

    def signature(self) -> tuple[str, bytes]:
        """What changes whenever another adapter, or other weights, are to be served."""
        name = self.active()
        try:
            return name, (self.folder(name) / MANIFEST).read_bytes()
        except (OSError, NotFound):
            return name, b""

    def _history(self) -> list[str]:
        names = self._stored().get("use")
        good = [n for n in names if isinstance(n, str)] if isinstance(names, list) else []
        return good if self.last in good else [*good, self.last]

    def _stored(self) -> Mapping[str, object]:
        try:
            found: object = json.loads((self.root / _ACTIVE).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, history: list[str], *, back: bool = False) -> None:
        kept = list(dict.fromkeys([*history[:_REMEMBERED], self.last]))
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(dir=self.root, prefix=".writing-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump({"use": kept, "back": back}, file)
                Path(beside).replace(self.root / _ACTIVE)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    Path(beside).unlink()
        except OSError as error:
            raise Unreachable(f"The adapter folder {self.root} cannot be written.") from error


def _folder_name(tenant: str) -> str:
    """A folder for each tenant, also where `Shop` and `shop` would be the same to the disk."""
    plain = re.sub(r"[^a-z0-9_-]", "-", tenant.lower())
    if plain == tenant:
        return plain
    return f"{plain}~{hashlib.sha256(tenant.encode('utf-8', 'replace')).hexdigest()[:12]}"
