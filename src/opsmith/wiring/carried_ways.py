"""Ways over a connection, as opsmith tells a carrier of them and as the carrier makes them.

A carrier loads no more of opsmith than its one way needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from opsmith.backends.reach.alertmanager import VERBS
from opsmith.backends.reach.doors import address_of
from opsmith.backends.reach.http_checks import CHECK
from opsmith.backends.reach.lines import Build, Place
from opsmith.backends.reach.ssh_commands import Command
from opsmith.errors import HouseError
from opsmith.nouns.entity import Entity
from opsmith.seams.reach import Reach
from opsmith.seams.wire import Access

if TYPE_CHECKING:
    from opsmith.backends.reach.containers import ContainerPlace
    from opsmith.backends.reach.ssh import SshHost, SshUnit
    from opsmith.wiring.check_shapes import HttpCheckShape

_ACCESS = TypeAdapter(Access)
Clock = Callable[[], datetime]

CHECKS = "checks"
CLUSTERS = "clusters"
CONTAINERS = "containers"
SILENCES = "silences"
SSH = "ssh"
SYSTEMD = "systemd"
# What clients load when they first connect.
_CONNECTING = ("encodings.idna", "anyio._backends._asyncio")
# Where a limit that holds is read: of which group a process is, and what that group has.
_GROUPS = ("/proc", "/sys/fs/cgroup")
# sd-bus(3): the system's bus where nothing else is said.
SYSTEM_BUS = "/run/dbus/system_bus_socket"


@dataclass(frozen=True, slots=True)
class ContainerPlaces:
    """Containers and engines by target, each with the socket of its one engine."""

    containers: Mapping[Entity, ContainerPlace]
    engines: Mapping[Entity, str] = field(default_factory=dict)

    def carries(self, target: Entity, verb: str) -> bool:
        """Lists of engines; logs, restarts and limits of containers."""
        from opsmith.backends.reach.containers import ContainersReach

        return ContainersReach(self.containers, engines=self.engines).carries(target, verb)

    def place(self, target: Entity, verb: str) -> Place:
        """The container, or the engine, and the engine's socket."""
        one, engine = self.containers.get(target), self.engines.get(target)
        told = {"name": one.name if one else None, "of": one.engine if one else None}
        engines = {each for each in (engine, told["of"]) if each}
        return Place(
            told={**told, "engine": engine},
            addresses=[each.removeprefix("unix://") for each in engines],
            seen=_GROUPS if verb == "service.limit" else (),
        )


@dataclass(frozen=True, slots=True)
class UnitPlaces:
    """Units by target, and the socket of the bus."""

    units: Mapping[Entity, str]
    bus: str = SYSTEM_BUS

    def carries(self, target: Entity, verb: str) -> bool:
        """Restarts of the targets whose unit the file names."""
        from opsmith.backends.reach.systemd import SystemdReach

        return SystemdReach(self.units).carries(target, verb)

    def place(self, target: Entity, verb: str) -> Place:  # noqa: ARG002
        """The unit, and the bus."""
        told = {"unit": self.units.get(target), "bus": self.bus}
        return Place(told=told, addresses=[self.bus])


@dataclass(frozen=True, slots=True)
class SilencePlaces:
    """The labels of targets' alerts, and the one Alertmanager."""

    places: Mapping[Entity, Mapping[str, str]]
    access: Access

    def __post_init__(self) -> None:
        """Raises `BadInput` for an address that is none."""
        address_of(self.access.url)

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the targets file says by which labels the target's alerts are known."""
        return verb in VERBS and target in self.places

    def place(self, target: Entity, verb: str) -> Place:  # noqa: ARG002
        """The labels, and the server with the files that open it."""
        labels = self.places.get(target)
        told = {
            "labels": None if labels is None else dict(labels),
            "access": _ACCESS.dump_python(self.access, mode="json"),
        }
        return Place(
            told=told, addresses=[address_of(self.access.url)], secrets=_files_of(self.access)
        )


@dataclass(frozen=True, slots=True)
class CheckPlaces:
    """The checks of targets, by name."""

    checks: Mapping[Entity, Mapping[str, HttpCheckShape]]

    def __post_init__(self) -> None:
        """Raises `BadInput` for an address that is none."""
        for checks in self.checks.values():
            for one in checks.values():
                address_of(one.url)

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the targets file has a check of this target."""
        return verb == CHECK and target in self.checks

    def place(self, target: Entity, verb: str) -> Place:  # noqa: ARG002
        """The checks of the target, and their addresses."""
        checks = self.checks.get(target, {})
        every = [one.access() for one in checks.values()]
        return Place(
            told={name: one.model_dump(mode="json") for name, one in checks.items()},
            addresses=[address_of(one.url) for one in every],
            secrets=[file for one in every for file in _files_of(one)],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlaces:
    """Hosts, groups of them and units on them; a carrier is told of those that a target needs."""

    hosts: Mapping[Entity, SshHost]
    commands: Mapping[str, Command]
    groups: Mapping[Entity, Sequence[Entity]] = field(default_factory=dict)
    units: Mapping[Entity, SshUnit] = field(default_factory=dict)

    def carries(self, target: Entity, verb: str) -> bool:
        """Commands on hosts and groups; restarts of units."""
        return self._reach().carries(target, verb)

    def place(self, target: Entity, verb: str) -> Place:  # noqa: ARG002
        """The hosts with their keys and addresses, and the commands."""
        unit = self.units.get(target)
        named = [*self.groups.get(target, (target,)), *([unit.host] if unit else [])]
        hosts = {str(one): self.hosts[one] for one in named if one in self.hosts}
        return Place(
            told={
                "hosts": {name: _plain(one) for name, one in hosts.items()},
                "commands": {name: _plain(one) for name, one in self.commands.items()},
                "group": [str(one) for one in self.groups.get(target, ())],
                "unit": unit
                and {"host": str(unit.host), "unit": unit.unit, "prefix": list(unit.prefix)},
            },
            addresses=[(one.address, one.port) for one in hosts.values()],
            secrets=[
                str(file) for one in hosts.values() for file in (one.key_file, one.known_hosts)
            ],
        )

    def _reach(self) -> Reach:
        from opsmith.backends.reach.ssh import SshReach

        return SshReach(self.hosts, commands=self.commands, groups=self.groups, units=self.units)


def builder(way: str) -> Build:
    """Makes the way of this name in a carrier, with its client loaded already.

    Raises `MissingExtra`, `HouseError` for a name that is none.
    """
    if way == CLUSTERS:
        from opsmith.wiring.carried_clusters import build as to_clusters

        return to_clusters
    known = {
        CHECKS: ("opsmith.wiring.check_shapes", _checks),
        CONTAINERS: ("opsmith.backends.reach.containers", _containers),
        SILENCES: ("opsmith.backends.wire.http", _silences),
        SSH: ("opsmith.backends.reach.ssh", _ssh),
        SYSTEMD: ("opsmith.backends.reach.systemd", _systemd),
    }
    if way not in known:
        raise HouseError(f"No carrier knows a way {way!r}.")
    module, build = known[way]
    for one in (module, *_CONNECTING):
        import_module(one)
    return build


def _containers(target: Entity, told: Mapping[str, object], _: Clock) -> Reach:
    from opsmith.backends.reach.containers import ContainerPlace, ContainersReach

    named, engine = told["of"], told["engine"]
    place = ContainerPlace(name=str(told["name"]), engine=str(named))
    return ContainersReach(
        {target: place} if named else {}, engines={target: str(engine)} if engine else {}
    )


def _systemd(target: Entity, told: Mapping[str, object], _: Clock) -> Reach:
    from opsmith.backends.reach.systemd import SystemdReach

    unit = told["unit"]
    return SystemdReach({target: str(unit)} if unit else {}, address=f"unix:path={told['bus']}")


def _silences(target: Entity, told: Mapping[str, object], clock: Clock) -> Reach:
    from opsmith.backends.reach.alertmanager import SilencesReach
    from opsmith.backends.wire.http import HttpWire

    labels = told["labels"]
    wire = HttpWire(_ACCESS.validate_python(told["access"]))
    known = {target: labels} if isinstance(labels, dict) else {}
    return SilencesReach(known, wire=wire, clock=clock)


def _checks(target: Entity, told: Mapping[str, object], clock: Clock) -> Reach:
    from opsmith.backends.reach.http_checks import HttpChecksReach
    from opsmith.wiring.check_shapes import HttpCheckShape

    checks = {name: HttpCheckShape.model_validate(one).check() for name, one in told.items()}
    return HttpChecksReach({target: checks}, clock=clock)


def _files_of(access: Access) -> list[str]:
    """The files of this machine that stand in an access."""
    tls = access.tls
    named = (access.password_file, access.token_file, tls.ca_file, tls.cert_file, tls.key_file)
    return [str(one) for one in (*named, *(file for _, file in access.header_files)) if one]


def _ssh(target: Entity, told: Mapping[str, object], _: Clock) -> Reach:
    from opsmith.backends.reach.ssh import SshHost, SshReach, SshUnit

    hosts = TypeAdapter(dict[str, SshHost]).validate_python(told["hosts"])
    group = TypeAdapter(list[str]).validate_python(told["group"])
    unit = told["unit"]
    units = {}
    if isinstance(unit, dict):
        host = Entity.parse(unit["host"])
        units[target] = SshUnit(host=host, unit=unit["unit"], prefix=tuple(unit["prefix"]))
    return SshReach(
        {Entity.parse(name): one for name, one in hosts.items()},
        commands=TypeAdapter(dict[str, Command]).validate_python(told["commands"]),
        groups={target: [Entity.parse(one) for one in group]} if group else {},
        units=units,
    )


def _plain(one: object) -> dict[str, object]:
    """A dataclass as JSON has it."""
    told = TypeAdapter(type(one)).dump_python(one, mode="json")
    return dict(told)
