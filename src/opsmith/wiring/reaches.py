"""The ways of the targets file, opened; an extra is loaded only when a target needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from opsmith.backends.reach.alertmanager import ALL_ALERTS
from opsmith.backends.reach.carried import CarriedFiles
from opsmith.backends.reach.files import FilePlace
from opsmith.backends.reach.lab import LabReach
from opsmith.backends.reach.lines import CarriedLines
from opsmith.backends.reach.ssh_commands import Command, Slot
from opsmith.nouns.entity import Entity
from opsmith.seams.reach import Reach
from opsmith.seams.wire import Access
from opsmith.settings import Settings
from opsmith.wiring.carried_ways import (
    CHECKS,
    CLUSTERS,
    CONTAINERS,
    SILENCES,
    SSH,
    SYSTEMD,
    CheckPlaces,
    ContainerPlaces,
    HostPlaces,
    SilencePlaces,
    UnitPlaces,
)
from opsmith.wiring.carrier import COMMAND, LINE_COMMAND
from opsmith.wiring.ssh_shapes import CommandShape
from opsmith.wiring.targets import TargetShape, Told, read

Clock = Callable[[], datetime]


def reaches(settings: Settings, *, clock: Clock) -> list[Reach]:
    """The ways, each with the targets that it leads to; of two for one verb the first is taken.

    Raises `BadInput` for a wrong file, `MissingExtra` without the extra that a target needs.
    """
    told = read(settings.targets_file)
    return [
        *_local(told, settings, clock),
        *_silences(told, settings, clock),
        *_checks(told, clock),
        *_ssh(told, clock),
        *_containers(told, clock),
        *_systemd(told, clock),
        *_clusters(told, settings, clock),
    ]


def _local(told: Told, settings: Settings, clock: Clock) -> Iterator[Reach]:
    places = {
        entity: _file_place(one) for entity, one in told.targets.items() if one.config or one.logs
    }
    patches = settings.data_dir / "patches"
    yield CarriedFiles(places, clock=clock, patches=patches, command=COMMAND)
    if told.shape.lab is not None:
        yield LabReach(told.shape.lab)


def _silences(told: Told, settings: Settings, clock: Clock) -> Iterator[Reach]:
    shape, url = told.shape.alertmanager, settings.alertmanager_url
    places = {entity: one.alerts.match for entity, one in told.targets.items() if one.alerts}
    if shape is not None:
        access = shape.access()
    elif url is not None:
        access = Access(url=url)
    else:
        return
    known = SilencePlaces({ALL_ALERTS: {}, **places}, access)
    yield CarriedLines(SILENCES, known, clock=clock, command=LINE_COMMAND)


def _checks(told: Told, clock: Clock) -> Iterator[Reach]:
    checks = {entity: one.http for entity, one in told.targets.items() if one.http}
    if checks:
        known = CheckPlaces(checks)
        yield CarriedLines(CHECKS, known, clock=clock, command=LINE_COMMAND)


def _ssh(told: Told, clock: Clock) -> Iterator[Reach]:
    shapes = {entity: one.ssh for entity, one in told.targets.items() if one.ssh}
    if not shapes:
        return
    from opsmith.backends.reach.ssh import SshHost, SshUnit

    units = {entity: one.systemd for entity, one in told.targets.items() if one.systemd}
    known = HostPlaces(
        hosts={entity: SshHost(**one.model_dump()) for entity, one in shapes.items()},
        commands={name: command_of(one) for name, one in told.shape.commands.items()},
        groups={
            entity: tuple(map(Entity.parse, one.hosts))
            for entity, one in told.targets.items()
            if one.hosts
        },
        units={
            entity: SshUnit(
                host=Entity.parse(one.host),
                unit=one.unit,
                prefix=("sudo", "-n") if one.sudo else (),
            )
            for entity, one in units.items()
            if one.host
        },
    )
    yield CarriedLines(SSH, known, clock=clock, command=LINE_COMMAND)


def _containers(told: Told, clock: Clock) -> Iterator[Reach]:
    shapes = {entity: one.container for entity, one in told.targets.items() if one.container}
    engines = {entity: one.engine for entity, one in told.targets.items() if one.engine}
    if not shapes and not engines:
        return
    from opsmith.backends.reach.containers import ContainerPlace

    places = {
        entity: ContainerPlace(name=one.name, engine=one.engine) for entity, one in shapes.items()
    }
    carried = ContainerPlaces(places, engines)
    yield CarriedLines(CONTAINERS, carried, clock=clock, command=LINE_COMMAND)


def _systemd(told: Told, clock: Clock) -> Iterator[Reach]:
    units = {
        entity: one.systemd.unit
        for entity, one in told.targets.items()
        if one.systemd and not one.systemd.host
    }
    if units:
        import opsmith.backends.reach.systemd  # noqa: F401 - says what to install

        yield CarriedLines(SYSTEMD, UnitPlaces(units), clock=clock, command=LINE_COMMAND)


def _clusters(told: Told, settings: Settings, clock: Clock) -> Iterator[Reach]:
    if not told.shape.kubernetes:
        return
    from opsmith.backends.reach.kubernetes_places import ClusterPlace, ObjectPlace
    from opsmith.wiring.carried_clusters import ClusterPlaces

    shapes = {entity: one.kubernetes for entity, one in told.targets.items() if one.kubernetes}
    known = ClusterPlaces(
        clusters={
            one.name: ClusterPlace(**one.model_dump(exclude={"name"}))
            for one in told.shape.kubernetes
        },
        places={
            entity: ObjectPlace(
                cluster=one.cluster,
                namespace=one.namespace or "",
                workload=one.workload or "",
                traffic=one.traffic or "",
                node=one.node or "",
                manifest=one.manifest,
            )
            for entity, one in shapes.items()
        },
        patches=settings.data_dir / "patches",
    )
    yield CarriedLines(CLUSTERS, known, clock=clock, command=LINE_COMMAND)


def command_of(shape: CommandShape) -> Command:
    """A command as the way over SSH knows it."""
    return Command(
        argv=shape.argv,
        slots={name: Slot(**slot.model_dump()) for name, slot in shape.values.items()},
        look=shape.look,
        check=shape.check,
        undo=shape.undo,
        changes=shape.changes,
    )


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
