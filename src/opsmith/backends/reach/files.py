"""Files of this machine: one setting of a configuration file, old logs below a folder.

An order names a target, a key and a value; which file and which folder that is stands in the
targets file, so that no order holds a path.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opsmith.backends.reach import folders, setting_text
from opsmith.backends.reach.setting_text import Format
from opsmith.errors import BadInput, NotFound
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.seams.reach import Found, Reply, in_time

SET = "config.set"
CLEAN = "logs.clean"
QUARANTINE = "logs.quarantine"
RESTORE = "logs.restore"
PATCH = "config.patch"
VERBS = frozenset({SET, PATCH, CLEAN, QUARANTINE, RESTORE})
# A configuration file is a page or two; what is larger is something else.
LARGEST_CONFIG = 1_000_000
# Ten years: no log is older, and every clock can count that far back.
OLDEST_S = 315_360_000
# Where logs wait for the undo of their clean-up, below the folder that they were in.
HELD = ".opsmith-quarantine"
_MOST_TOLD = 5
_NO_NEWLINE = "\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlace:
    """The files of one target.

    owner: the GitOps tool that keeps the configuration, empty for none. repository: the folder
        that paths in patches start from.
    """

    config: Path | None = None
    form: Format = Format.ENV
    owner: str = ""
    repository: Path | None = None
    logs: Path | None = None
    pattern: str = "*.log"


class FilesReach:
    """Reaches files of this machine. clock: UTC-aware. patches: where patches are written."""

    def __init__(
        self,
        places: Mapping[Entity, FilePlace],
        *,
        clock: Callable[[], datetime],
        patches: Path,
    ) -> None:
        self._places = dict(places)
        self._patches = patches
        self._clock = clock

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the targets file names what the verb needs of this target."""
        place = self._places.get(target)
        if place is None or verb not in VERBS:
            return False
        return (place.config if verb in {SET, PATCH} else place.logs) is not None

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """The setting's value, or the logs that are old enough."""
        return await asyncio.to_thread(self._look, target, verb, values)

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Set, delete, hold or restore. Raises `Unreachable` when the deadline passes."""
        work = asyncio.to_thread(self._send, target, verb, values)
        return await in_time(work, deadline_s, f"{verb} on {target}")

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _look(self, target: Entity, verb: str, values: Values) -> Found:
        place = self._place(target, verb)
        if verb in {SET, PATCH}:
            text = folders.read_text(_config(place, target), largest=LARGEST_CONFIG)
            value = setting_text.get(text, _text(values, "key"), place.form)
            owner = place.owner if verb == SET else ""
            return Found(version=_digest(text), facts={"value": value}, owner=owner)
        if verb == RESTORE:
            held = _held(_logs(place, target), values)
            return Found(version=_digest("\n".join(held)), facts={"files": len(held)})
        leaves = self._old(place, target, values)
        size = sum(leaf.size_bytes for leaf in leaves)
        names = [f"{leaf.path} {leaf.written_at_s}" for leaf in leaves]
        return Found(
            version=_digest("\n".join(names)),
            facts={
                "files": len(leaves),
                "size_bytes": size,
                "first": tuple(leaf.path for leaf in leaves[:_MOST_TOLD]),
            },
        )

    def _send(self, target: Entity, verb: str, values: Values) -> Reply:
        place = self._place(target, verb)
        if verb == SET:
            return _set(place, target, values)
        if verb == PATCH:
            return self._patch(place, target, values)
        if verb == RESTORE:
            return _restore(_logs(place, target), values)
        if verb == QUARANTINE:
            return self._quarantine(place, target, values)
        root = _logs(place, target)
        freed = [
            folders.remove(root, leaf.path, written_at_s=leaf.written_at_s)
            for leaf in self._old(place, target, values)
        ]
        says = f"deleted {len(freed)} files, freed {sum(freed)} bytes"
        return Reply(says=says, facts={"files": len(freed), "freed_bytes": sum(freed)})

    def _patch(self, place: FilePlace, target: Entity, values: Values) -> Reply:
        """The change as a file for `git apply`; its name tells the same change again."""
        file = _config(place, target)
        text = folders.read_text(file, largest=LARGEST_CONFIG)
        changed = setting_text.put(text, _text(values, "key"), _text(values, "value"), place.form)
        path = file.relative_to(place.repository or file.parent)
        lines = difflib.unified_diff(
            text.splitlines(keepends=True),
            changed.splitlines(keepends=True),
            fromfile=f"a/{path}",
            tofile=f"b/{path}",
        )
        patch = "".join(
            line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in lines
        )
        self._patches.mkdir(parents=True, exist_ok=True)
        written = self._patches / f"{_digest(patch)[:16]}.patch"
        written.write_text(patch, encoding="utf-8")
        return Reply(says=f"wrote {written}", facts={"file": str(written)})

    def _quarantine(self, place: FilePlace, target: Entity, values: Values) -> Reply:
        root, batch = _logs(place, target), _batch(values)
        moved = sum(
            folders.move(root, leaf.path, f"{HELD}/{batch}/{leaf.path}")
            for leaf in self._old(place, target, values)
        )
        says = f"moved {moved} files to {HELD}/{batch}; their room is not yet free"
        return Reply(says=says, facts={"files": moved})

    def _old(self, place: FilePlace, target: Entity, values: Values) -> tuple[folders.Leaf, ...]:
        older = values.get("older_than_s")
        if isinstance(older, bool) or not isinstance(older, int | float):
            raise BadInput("older_than_s is a number of seconds.")
        if not 0 <= older <= OLDEST_S:  # which no comparison with NaN is
            raise BadInput(f"older_than_s is 0 to {OLDEST_S} seconds.")
        before = (self._clock() - timedelta(seconds=float(older))).astimezone(UTC).timestamp()
        found = folders.old_files(_logs(place, target), pattern=place.pattern, before_s=before)
        return tuple(leaf for leaf in found if Path(leaf.path).parts[0] != HELD)

    def _place(self, target: Entity, verb: str) -> FilePlace:
        if verb not in VERBS:
            raise BadInput(f"Files know no {verb[:60]!r}.")
        if target not in self._places:
            raise NotFound(f"The targets file says of no files of {target}.")
        return self._places[target]


def _set(place: FilePlace, target: Entity, values: Values) -> Reply:
    file, key, value = _config(place, target), _text(values, "key"), _text(values, "value")
    text = folders.read_text(file, largest=LARGEST_CONFIG)
    old = setting_text.get(text, key, place.form)
    if old != value:
        folders.write_text(file, setting_text.put(text, key, value, place.form))
    return Reply(says=f"{key}: {old} -> {value}", facts={"value": value})


def _restore(root: Path, values: Values) -> Reply:
    prefix = f"{HELD}/{_batch(values)}/"
    held = _held(root, values)
    back = sum(folders.move(root, path, path.removeprefix(prefix)) for path in held)
    return Reply(says=f"moved {back} files back", facts={"files": back})


def _held(root: Path, values: Values) -> tuple[str, ...]:
    folder = root / HELD / _batch(values)
    if not folder.is_dir():
        return ()
    found = folders.old_files(folder, pattern="*", before_s=float("inf"))
    return tuple(f"{HELD}/{folder.name}/{leaf.path}" for leaf in found)


def _batch(values: Values) -> str:
    batch = _text(values, "batch")
    if not batch.isalnum() or not batch.isascii():
        raise BadInput("batch is letters and digits.")
    return batch


def _config(place: FilePlace, target: Entity) -> Path:
    if place.config is None:
        raise NotFound(f"The targets file names no configuration file of {target}.")
    return place.config


def _logs(place: FilePlace, target: Entity) -> Path:
    if place.logs is None:
        raise NotFound(f"The targets file names no log folder of {target}.")
    return place.logs


def _text(values: Values, name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise BadInput(f"{name} is missing.")
    return value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
