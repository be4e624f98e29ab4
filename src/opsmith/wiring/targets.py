"""The targets file: what each target is on this machine or elsewhere, checked at the door.

Orders name targets; paths, units and addresses stand only here, so that no sentence, label or
model ever says one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from opsmith.backends.reach.setting_text import Format
from opsmith.errors import BadInput, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.wiring.check_shapes import CheckName, HttpCheckShape
from opsmith.wiring.kubernetes_shapes import ClusterShape, ObjectShape
from opsmith.wiring.paths import AbsolutePath
from opsmith.wiring.script_shapes import ScriptName, ScriptShape
from opsmith.wiring.source_file import Name, ServerShape, Strict
from opsmith.wiring.ssh_shapes import CommandName, CommandShape, SshShape, UnitShape

LARGEST_FILE = 1024 * 1024

EngineUrl = Annotated[str, Field(pattern=r"^unix:///[^\s]{1,200}$")]
PlaceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,60}$")]
ActionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+$")]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,99}$")]
LabelValue = Annotated[str, Field(min_length=1, max_length=500)]


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


class AlertsShape(Strict):
    """The labels that every alert of the target bears."""

    match: dict[LabelName, LabelValue] = Field(min_length=1)


class ContainerShape(Strict):
    """One container. engine: the socket of Docker or of Podman's service."""

    name: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,200}$")
    engine: EngineUrl = "unix:///var/run/docker.sock"


class ActionShape(Strict):
    """What an action of a package is given: folders by the names that it declares, and a user."""

    places: dict[PlaceName, AbsolutePath] = Field(default_factory=dict)
    user: str = ""


class TargetShape(Strict):
    """One target and the ways to it.

    hosts: whom a group stands for. engine: the container engine of a host.
    name: how people call it, where that is not its name. env, namespace: where it is.
    """

    target: str
    name: str = Field(default="", max_length=200)
    env: str = Field(default="", max_length=60)
    namespace: str = Field(default="", max_length=63)
    config: ConfigShape | None = None
    logs: LogsShape | None = None
    alerts: AlertsShape | None = None
    scripts: Mapping[ScriptName, ScriptShape] = Field(default_factory=dict)
    ssh: SshShape | None = None
    systemd: UnitShape | None = None
    hosts: tuple[str, ...] = ()
    container: ContainerShape | None = None
    engine: EngineUrl | None = None
    http: dict[CheckName, HttpCheckShape] = Field(default_factory=dict)
    actions: dict[ActionName, ActionShape] = Field(default_factory=dict)
    kubernetes: ObjectShape | None = None


class AlertmanagerShape(ServerShape):
    """Where silences are set."""

    name: Name = "alertmanager"


class TargetsShape(Strict):
    """The whole file. lab: the folder of a running `opsmith lab`, whose shop is reached too."""

    targets: tuple[TargetShape, ...] = ()
    alertmanager: AlertmanagerShape | None = None
    commands: dict[CommandName, CommandShape] = Field(default_factory=dict)
    lab: AbsolutePath | None = None
    kubernetes: tuple[ClusterShape, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the file says. targets: by their names."""

    targets: Mapping[Entity, TargetShape]
    shape: TargetsShape


def read(path: Path | None) -> Told:
    """The targets by name; none without a file.

    Raises `BadInput` with the place of the first thing that is wrong, `Unreachable` when the
    file cannot be read.
    """
    if path is None:
        return Told(targets={}, shape=TargetsShape())
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
    _check_hosts(path, found)
    _check_clusters(path, told)
    return Told(targets=found, shape=told)


def _check_hosts(path: Path, found: Mapping[Entity, TargetShape]) -> None:
    """Whoever is named as a host must be one that is reached over SSH."""
    reached = {entity for entity, one in found.items() if one.ssh}
    for one in found.values():
        for name in (
            *one.hosts,
            *([one.systemd.host] if one.systemd and one.systemd.host else []),
        ):
            if Entity.parse(name) not in reached:
                raise BadInput(f"{path}: {one.target}: {name[:80]} is no target with `ssh`.")


def _check_clusters(path: Path, told: TargetsShape) -> None:
    """Whatever is in a cluster is in one that the file knows, and knows once."""
    names = [one.name for one in told.kubernetes]
    if len(set(names)) < len(names):
        raise BadInput(f"{path}: one cluster stands there twice.")
    for one in told.targets:
        if one.kubernetes and one.kubernetes.cluster not in names:
            raise BadInput(f"{path}: {one.target}: no cluster is named {one.kubernetes.cluster}.")
