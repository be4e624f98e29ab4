"""The targets file: what each target is on this machine or elsewhere, checked at the door.

Orders name targets; paths, units and addresses stand only here, so that no sentence, label or
model ever says one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from opsmith.backends.reach.files import FilePlace, FilesReach
from opsmith.backends.reach.setting_text import Format
from opsmith.errors import BadInput, Unreachable
from opsmith.nouns.entity import Entity

LARGEST_FILE = 1024 * 1024


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError("must be an absolute path without `..`")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Strict(BaseModel):
    """A part of the file; what nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ConfigShape(Strict):
    """One configuration file. repository: where paths in patches start, for a GitOps owner."""

    file: AbsolutePath
    format: Format
    owner: str = ""
    repository: AbsolutePath | None = None


class LogsShape(Strict):
    """One folder of logs and the names that count as such."""

    folder: AbsolutePath
    pattern: str = Field(default="*.log", pattern=r"^[^/]{1,100}$")


class TargetShape(Strict):
    """One target and the ways to it."""

    target: str
    config: ConfigShape | None = None
    logs: LogsShape | None = None


class TargetsShape(Strict):
    """The whole file. lab: the folder of a running `opsmith lab`, whose shop is reached too."""

    targets: list[TargetShape] = []
    lab: AbsolutePath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the file knows: the targets by name, and where a lab lives."""

    targets: Mapping[Entity, TargetShape]
    lab: Path | None = None


def read(path: Path | None) -> Known:
    """What may be reached; nothing without a file.

    Raises `BadInput` with the place of the first thing that is wrong, `Unreachable` when the
    file cannot be read.
    """
    if path is None:
        return Known(targets={})
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadInput(f"{path}: larger than {LARGEST_FILE} bytes, so no targets file.")
        told = TargetsShape.model_validate(yaml.safe_load(path.read_text("utf-8")) or {})
    except OSError as error:
        raise Unreachable(f"{path}: cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: no YAML ({str(error)[:200]}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BadInput(f"{path}: {where}: {first['msg']}.") from error
    found = {Entity.parse(one.target): one for one in told.targets}
    if len(found) < len(told.targets):
        raise BadInput(f"{path}: one target stands there twice.")
    return Known(targets=found, lab=told.lab)


def files_reach(
    targets: Mapping[Entity, TargetShape], *, clock: Callable[[], datetime], patches: Path
) -> FilesReach:
    """The way to the files of the targets that have some."""
    places = {
        entity: _file_place(one) for entity, one in targets.items() if one.config or one.logs
    }
    return FilesReach(places, clock=clock, patches=patches)


def _file_place(one: TargetShape) -> FilePlace:
    logs = one.logs
    place = FilePlace(
        logs=logs.folder if logs else None, pattern=logs.pattern if logs else "*.log"
    )
    if one.config is None:
        return place
    return FilePlace(
        config=one.config.file,
        form=one.config.format,
        owner=one.config.owner,
        repository=one.config.repository,
        logs=place.logs,
        pattern=place.pattern,
    )
