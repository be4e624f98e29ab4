"""`incident.yaml`: what the incident is called, when it was, who suffered, who may be blamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml

from opsmith.errors import BadInput
from opsmith.ingest.files import document
from opsmith.ingest.json_door import fields, instant, items, text
from opsmith.ingest.losses import Losses
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Window

LARGEST_BYTES = 2**20
VERSION = 1
_KEYS = frozenset(["version", "name", "title", "window", "reference", "alerting", "candidates"])


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFile:
    """The content of an `incident.yaml`; all but the name may be missing."""

    name: str
    title: str = ""
    window: Window | None = None
    reference: tuple[Window, ...] = ()
    alerting: tuple[Entity, ...] = ()
    candidates: tuple[Entity, ...] = field(default=())


class _PlainLoader(yaml.SafeLoader):
    """Plain values only: times stay text, and there are no aliases to multiply by."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias (*name), which a bundle does not need")
        return super().compose_node(parent, index)


_PlainLoader.yaml_implicit_resolvers = {
    sign: [pair for pair in found if pair[0] != "tag:yaml.org,2002:timestamp"]
    for sign, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path, losses: Losses) -> IncidentFile:
    """Read an `incident.yaml`; a wrong entry is left out and noted, the rest is used."""
    content = document(path, "incident", losses)
    try:
        told: object = (
            yaml.load(content, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader without aliases
            if len(content) <= LARGEST_BYTES
            else None
        )
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())[:200]
        losses.note("incident", f"{path.name}: cannot be read as YAML ({reason}).")
        told = {}
    if not isinstance(told, dict):
        losses.note("incident", f"{path.name}: not a mapping of at most 1 MiB; not used.")
    return _Entries(fields(told), path.name, losses).incident()


class _Entries:
    """The entries of the file, each checked by itself."""

    def __init__(self, told: Mapping[str, object], file: str, losses: Losses) -> None:
        self._told = told
        self._file = file
        self._losses = losses

    def incident(self) -> IncidentFile:
        """The checked content."""
        for key in self._told:
            if key not in _KEYS:
                self._wrong(str(key)[:60], f"no entry of version {VERSION}; ignored.")
        if self._told.get("version", VERSION) != VERSION:
            self._wrong("version", f"this opsmith reads version {VERSION}; read as that.")
        windows = [self._window(one, "reference") for one in items(self._told.get("reference"))]
        window = self._told.get("window")
        return IncidentFile(
            name=text(self._told.get("name"))[:512],
            title=text(self._told.get("title"))[:512],
            window=self._window(window, "window") if window is not None else None,
            reference=tuple(one for one in windows if one is not None),
            alerting=self._entities("alerting"),
            candidates=self._entities("candidates"),
        )

    def _window(self, value: object, key: str) -> Window | None:
        told = fields(value)
        start, end = (self._instant(told.get(side), f"{key}.{side}") for side in ("start", "end"))
        if start is None or end is None:
            return None
        if end <= start:
            self._wrong(key, "ends before it starts; ignored.")
            return None
        return Window(start=start, end=end)

    def _instant(self, value: object, key: str) -> datetime | None:
        found = instant(value)
        if found is None:
            self._wrong(key, "not an RFC 3339 time with an offset; ignored.")
        return found

    def _entities(self, key: str) -> tuple[Entity, ...]:
        found: dict[Entity, None] = {}
        for value in items(self._told.get(key)):
            try:
                found[Entity.parse(text(value))] = None
            except BadInput as error:
                self._wrong(key, str(error))
        return tuple(found)

    def _wrong(self, key: str, what: str) -> None:
        self._losses.count("incident", f"{self._file} {key}", 1, what)
