"""Actions on containers, in a real engine that speaks Docker's API."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from promises.real_podman import podman

from opsmith.backends.reach.containers import ContainerPlace, ContainersReach
from opsmith.errors import NotFound, Unreachable
from opsmith.execute.action import Action
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order, Value
from opsmith.testing.acting import OneWay

pytestmark = pytest.mark.needs_containers
WEB, GONE, HOST = Entity.service("web"), Entity.service("gone"), Entity.parse("host:me")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with podman(tmp_path_factory.mktemp("podman")) as address:
        yield address


@pytest.fixture
async def world(engine: str) -> AsyncIterator[OneWay]:
    places = {
        WEB: ContainerPlace(name="web", engine=engine),
        GONE: ContainerPlace(name="gone", engine=engine),
    }
    way = ContainersReach(places, engines={HOST: engine})
    yield OneWay(way=way)
    await way.aclose()


def of(name: str, target: Entity, **values: Value) -> tuple[Action, Order]:
    order = Order(action=name, target=target, values=values)
    return Registry(BUILT_IN).checked(order), order


async def test_a_container_is_restarted_once(world: OneWay) -> None:
    action, order = of("service.restart", WEB)

    preview = await action.dry_run(order, world)
    assert not (await action.verify(order, preview, world)).holds
    assert await action.apply(order, preview, world) == "restarted web"

    assert (await action.verify(order, preview, world)).holds
    assert await action.apply(order, preview, world) == "web was restarted already"


async def test_limits_go_there_and_back(world: OneWay) -> None:
    action, order = of("service.limit", WEB, memory_mb=96, cores=0.5)

    preview = await action.dry_run(order, world)
    await action.apply(order, preview, world)
    assert (await action.verify(order, preview, world)).holds
    await action.undo(order, preview, world)

    assert preview.says == "service:web: cores: 1.0 -> 0.5, memory_mb: 64 -> 96"
    assert not (await action.verify(order, preview, world)).holds
    assert (await action.dry_run(order, world)).version == preview.version


@pytest.mark.parametrize(
    ("name", "target", "says"),
    [("container.list", HOST, "web running"), ("container.logs", WEB, "hello\n")],
)
async def test_what_is_read_is_told(name: str, target: Entity, says: str, world: OneWay) -> None:
    action, order = of(name, target)

    preview = await action.dry_run(order, world)

    assert says in await action.apply(order, preview, world)
    assert (await action.verify(order, preview, world)).holds
    assert await action.undo(order, preview, world) == "nothing was changed"


async def test_a_container_that_is_gone_and_an_engine_that_is_are_told_apart(
    world: OneWay, tmp_path: Path
) -> None:
    action, order = of("service.restart", GONE)
    nowhere = ContainerPlace(name="web", engine=f"unix://{tmp_path}/none.sock")
    dead = OneWay(way=ContainersReach({GONE: nowhere}, engines={}))

    with pytest.raises(NotFound):
        await action.dry_run(order, world)
    with pytest.raises(Unreachable):
        await action.dry_run(order, dead)
