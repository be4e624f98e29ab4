"""A user's folder of task schemas, read again when it changes; the last good one is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from opsmith.errors import BadInput
from opsmith.parse.schema import TaskSchema
from opsmith.parse.schema_check import checked_schema
from opsmith.parse.yaml_places import LARGEST_FILE

MOST_FILES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What one look at the folder found.

    changed: the schemas in use are new.
    problems: one message a file that was not taken; its last good text stays in use.
    """

    changed: bool
    problems: tuple[str, ...] = ()


class SchemaFolder:
    """Task schemas by intent: the built-in ones and, over them, those of a folder.

    A file that is broken, half-written or gone wrong never takes a working schema away: its
    last good reading stays until the file is good again or removed. A user's schema may not
    lower the risk of a built-in intent.
    """

    def __init__(self, folder: Path, builtin: Mapping[str, TaskSchema]) -> None:
        self._folder = folder
        self._builtin = builtin
        self._good: dict[str, TaskSchema] = {}
        self._seen: dict[str, str] = {}
        self.schemas: Mapping[str, TaskSchema] = builtin

    def reload(self) -> Reloaded:
        """Look at the folder again. Raises `BadInput` when it cannot be listed at all."""
        texts, problems = self._texts()
        before = dict(self._good)
        for gone in self._good.keys() - texts.keys():
            del self._good[gone]
        for name, text in texts.items():
            digest = hashlib.sha256(text.encode()).hexdigest()
            if self._seen.get(name) == digest and name in self._good:
                continue
            try:
                self._good[name] = self._accepted(text, name)
                self._seen[name] = digest
            except BadInput as error:
                problems.append(str(error))
        if self._good == before:
            return Reloaded(changed=False, problems=tuple(problems))
        own = {schema.intent: schema for schema in self._good.values()}
        self.schemas = MappingProxyType({**self._builtin, **own})
        return Reloaded(changed=True, problems=tuple(problems))

    def _texts(self) -> tuple[dict[str, str], list[str]]:
        try:
            paths = sorted(
                path for path in self._folder.iterdir() if path.suffix in {".yaml", ".yml"}
            )
        except OSError as error:
            raise BadInput(
                f"The schema folder {self._folder.name!r} cannot be read: {error.strerror}."
            ) from error
        texts: dict[str, str] = {}
        problems: list[str] = []
        for path in paths[:MOST_FILES]:
            try:
                raw = path.read_bytes()[: LARGEST_FILE + 1]
                texts[path.name] = raw.decode("utf-8")
            except (OSError, UnicodeDecodeError):
                problems.append(
                    f"{path.name} cannot be read as UTF-8 text; the last good one stays."
                )
                if path.name in self._good:
                    texts[path.name] = ""
        return texts, problems

    def _accepted(self, text: str, name: str) -> TaskSchema:
        schema = checked_schema(text, name=name)
        builtin = self._builtin.get(schema.intent)
        if builtin and schema.risk.rank < builtin.risk.rank:
            raise BadInput(
                f"{name}: the intent {schema.intent} has risk {builtin.risk};"
                f" a schema of your own may not lower it to {schema.risk}."
            )
        return schema
