"""Every reach keeps every promise."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders.cluster import EmulatedCluster, served
from builders.labs import rehearsed_lab
from builders.systemd import systemd

from opsmith.backends.reach.carried import CarriedFiles
from opsmith.backends.reach.containers import ContainerPlace
from opsmith.backends.reach.files import FilePlace, FilesReach
from opsmith.backends.reach.kubernetes_places import ClusterPlace, ObjectPlace
from opsmith.backends.reach.lab import LabReach
from opsmith.backends.reach.lines import CarriedLines, Places
from opsmith.backends.reach.scripts import Pinned, Registered, ScriptsReach
from opsmith.backends.reach.ssh_commands import Command, Slot
from opsmith.backends.sandbox.namespaces import KernelSandbox
from opsmith.nouns.entity import Entity
from opsmith.seams.sandbox import Mount
from opsmith.seams.wire import Access
from opsmith.testing.acting import REACH_CHECKS, TURN, DialReach, Trial
from opsmith.wiring.carried_clusters import ClusterPlaces
from opsmith.wiring.carried_ways import (
    CLUSTERS,
    CONTAINERS,
    SILENCES,
    SSH,
    SYSTEMD,
    ContainerPlaces,
    HostPlaces,
    SilencePlaces,
    UnitPlaces,
)
from opsmith.wiring.carrier import COMMAND, LINE_COMMAND
from promises.real_alertmanager import alertmanager
from promises.real_podman import podman
from promises.real_sshd import ssh_hosts

Opener = Callable[[Path], AbstractAsyncContextManager[Trial]]

CART = Entity.service("cart")


@asynccontextmanager
async def dials(_: Path) -> AsyncIterator[Trial]:
    yield Trial(
        reach=DialReach({"cart": 1}),
        target=CART,
        verb=TURN,
        values={"to": 3},
        broken=Entity.service("none"),
    )


@asynccontextmanager
async def files(folder: Path) -> AsyncIterator[Trial]:
    (folder / "cart.env").write_text("POOL=40\n")
    places = {CART: FilePlace(config=folder / "cart.env")}
    yield Trial(
        reach=FilesReach(places, clock=lambda: datetime.now(UTC), patches=folder),
        target=CART,
        verb="config.set",
        values={"key": "POOL", "value": "80"},
        broken=Entity.service("none"),
    )


@asynccontextmanager
async def silences(folder: Path) -> AsyncIterator[Trial]:
    async with alertmanager(folder) as wire:
        places = SilencePlaces({CART: {"service": "cart"}}, Access(url=wire.where))
        yield Trial(
            reach=by_line(SILENCES, places),
            target=CART,
            verb="alert.silence",
            values={"for_s": 60, "match": ("alertname=Slow",), "comment": "a trial"},
            broken=Entity.service("none"),
        )


@asynccontextmanager
async def labs(folder: Path) -> AsyncIterator[Trial]:
    async with rehearsed_lab(folder) as lab:
        yield Trial(
            reach=LabReach(lab.data),
            target=Entity.service("payments"),
            verb="config.set",
            values={"key": "pool_size", "value": "8"},
            broken=Entity.service("none"),
        )


@asynccontextmanager
async def scripts(folder: Path) -> AsyncIterator[Trial]:
    """A script that writes, with another that tells what was written."""
    state = folder / "state"
    state.mkdir()
    for one in (*list(folder.parents)[:2], folder):
        one.chmod(0o755)
    state.chmod(0o777)
    script = Registered(
        run=_pinned(folder / "run", f"#!/bin/sh\necho full > {state}/it\n"),
        look=_pinned(folder / "look", f"#!/bin/sh\ncat {state}/it 2>&1; exit 0\n"),
        parameters={"type": "object", "additionalProperties": False},
        mounts=(Mount(path=state, writable=True),),
    )
    yield Trial(
        reach=ScriptsReach({CART: {"fill": script}}, sandbox=KernelSandbox()),
        target=CART,
        verb="script.run",
        values={"script": "fill"},
        broken=Entity.service("none"),
    )


def _pinned(file: Path, text: str) -> Pinned:
    file.write_text(text)
    return Pinned(file=file, sha256=hashlib.sha256(text.encode()).hexdigest())


@asynccontextmanager
async def ssh(folder: Path) -> AsyncIterator[Trial]:
    level = folder / "level"
    level.write_text("info")
    command = Command(
        argv=("cp", "--", f"{folder}/level.{{to}}", str(level)),
        slots={"to": Slot(choices=("debug",))},
        look=("cat", str(level)),
    )
    (folder / "level.debug").write_text("debug")
    with ssh_hosts(folder) as hosts:
        web = Entity.parse("host:web")
        yield Trial(
            reach=by_line(SSH, HostPlaces(hosts={web: hosts[0]}, commands={"level": command})),
            target=web,
            verb="ssh.run",
            values={"command": "level", "values": ("to=debug",)},
            broken=Entity.parse("host:none"),
        )


@asynccontextmanager
async def carried(folder: Path) -> AsyncIterator[Trial]:
    (folder / "cart").mkdir()
    (folder / "cart" / "cart.env").write_text("POOL=40\n")
    places = {CART: FilePlace(config=folder / "cart" / "cart.env")}
    yield Trial(
        reach=CarriedFiles(
            places, clock=lambda: datetime.now(UTC), patches=folder / "patches", command=COMMAND
        ),
        target=CART,
        verb="config.set",
        values={"key": "POOL", "value": "80"},
        broken=Entity.service("none"),
    )


def by_line(way: str, places: Places) -> CarriedLines:
    return CarriedLines(way, places, clock=lambda: datetime.now(UTC), command=LINE_COMMAND)


@asynccontextmanager
async def containers(folder: Path) -> AsyncIterator[Trial]:
    with podman(folder) as engine:
        places = {CART: ContainerPlace(name="web", engine=engine)}
        yield Trial(
            reach=by_line(CONTAINERS, ContainerPlaces(places)),
            target=CART,
            verb="service.limit",
            values={"memory_mb": 96},
            broken=Entity.service("none"),
        )


@asynccontextmanager
async def units(folder: Path) -> AsyncIterator[Trial]:
    async with systemd(folder) as (address, _):
        bus = address.removeprefix("unix:path=").partition(",")[0]
        reach = by_line(SYSTEMD, UnitPlaces({CART: "cart.service"}, bus))
        yield Trial(
            reach=reach,
            target=CART,
            verb="service.restart",
            values={"after": (await reach.look(CART, "service.restart", {})).version},
            broken=Entity.service("none"),
        )


@asynccontextmanager
async def clusters(folder: Path) -> AsyncIterator[Trial]:
    emulated = EmulatedCluster()
    emulated.workload("deployments", "cart", ["cart:1"])
    with served(emulated, folder) as kubeconfig:
        place = ObjectPlace(cluster="test", namespace="shop", workload="deployment/cart")
        yield Trial(
            reach=by_line(
                CLUSTERS,
                ClusterPlaces(
                    clusters={"test": ClusterPlace(kubeconfig=kubeconfig)},
                    places={CART: place},
                    patches=folder / "patches",
                ),
            ),
            target=CART,
            verb="kubernetes.scale",
            values={"replicas": 5},
            broken=Entity.service("none"),
        )


OPENERS = [
    clusters,
    dials,
    pytest.param(carried, marks=pytest.mark.needs_sandbox),
    files,
    labs,
    units,
    pytest.param(silences, marks=pytest.mark.needs_prometheus),
    pytest.param(scripts, marks=pytest.mark.needs_sandbox),
    pytest.param(containers, marks=pytest.mark.needs_containers),
    pytest.param(ssh, marks=pytest.mark.needs_ssh),
]


@pytest.mark.parametrize("opened", OPENERS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("check", REACH_CHECKS, ids=lambda check: check.__name__)
async def test_a_reach_keeps_its_promise(
    check: Callable[[Trial], Awaitable[None]], opened: Opener, tmp_path: Path
) -> None:
    async with opened(tmp_path) as trial:
        await check(trial)

        await trial.reach.aclose()
