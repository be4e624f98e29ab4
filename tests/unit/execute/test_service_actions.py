"""Actions on the lab's services over its own HTTP face, each from its rehearsal to its undo."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from builders.labs import rehearsed_lab

from opsmith.backends.reach.lab import LabReach
from opsmith.errors import BadInput, NotFound, Unreachable
from opsmith.execute.action import Action, Preview
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order, Value
from opsmith.testing.acting import OneWay

CART = "service:cart"


@pytest.fixture
async def reach(tmp_path: Path) -> AsyncIterator[LabReach]:
    async with rehearsed_lab(tmp_path) as lab:
        volume = lab.data / "volumes" / "payments"
        volume.mkdir(parents=True)
        (volume / "debug.dump").write_text("x" * 100)
        made = LabReach(lab.data)
        yield made
        await made.aclose()


class Trip:
    """One action on its way."""

    def __init__(self, reach: LabReach, name: str, target: str, **values: Value) -> None:
        self.world = OneWay(way=reach)
        self.order = Order(action=name, target=Entity.parse(target), values=values)
        self.action: Action = Registry(BUILT_IN).checked(self.order)
        self.preview: Preview | None = None

    async def there(self) -> str:
        self.preview = await self.action.dry_run(self.order, self.world)
        assert not await self._holds()
        return await self.action.apply(self.order, self.preview, self.world)

    async def holds(self) -> bool:
        return await self._holds()

    async def back(self) -> str:
        assert self.preview is not None
        return await self.action.undo(self.order, self.preview, self.world)

    async def _holds(self) -> bool:
        assert self.preview is not None
        return (await self.action.verify(self.order, self.preview, self.world)).holds


@pytest.mark.parametrize(
    "target", [CART, "database:postgres", "queue:orders", "edge:cart->valkey"]
)
async def test_a_restart_is_done_once_however_often_it_is_sent(
    reach: LabReach, target: str
) -> None:
    trip = Trip(reach, "service.restart", target)

    assert await trip.there() == "restarted"
    assert await trip.holds()
    assert trip.preview is not None
    again = await trip.action.apply(trip.order, trip.preview, trip.world)

    assert again.startswith("nothing")
    assert await trip.back() == trip.action.spec.irreversible


async def test_a_release_goes_back_and_comes_again(reach: LabReach) -> None:
    trip = Trip(reach, "service.rollback", CART)

    assert await trip.there() == "rolled back to 1.8.1"
    assert await trip.holds()
    assert trip.preview is not None
    assert "already" in await trip.action.apply(trip.order, trip.preview, trip.world)
    assert await trip.back() == "deployed 1.8.2"

    assert not await trip.holds()


async def test_limits_are_set_and_put_back(reach: LabReach) -> None:
    trip = Trip(reach, "service.limit", CART, cores=1.5)

    assert "1.5 cores" in await trip.there()
    assert await trip.holds()
    await trip.back()

    assert not await trip.holds()
    assert trip.preview is not None
    assert trip.preview.says == "service:cart: cores: 0.2 -> 1.5"


async def test_a_setting_is_taken_back_and_put_out_again(reach: LabReach) -> None:
    await Trip(reach, "config.set", "service:payments", key="pool_size", value="4").there()
    trip = Trip(reach, "config.rollback", "service:payments")

    assert await trip.there() == "took the settings back"
    assert await trip.holds()
    assert trip.preview is not None
    assert "already" in await trip.action.apply(trip.order, trip.preview, trip.world)
    assert await trip.back() == "set as before"

    assert not await trip.holds()
    with pytest.raises(NotFound, match="no setting"):
        await Trip(reach, "config.set", "service:payments", key="colour", value="red").there()


async def test_a_volume_is_cleared_and_stays_so(reach: LabReach) -> None:
    trip = Trip(reach, "disk.clear", "service:payments")

    assert await trip.there() == "freed 100 bytes"

    assert await trip.holds()
    assert await trip.back() == trip.action.spec.irreversible


async def test_what_the_lab_refuses_or_does_not_know_is_said(reach: LabReach) -> None:
    with pytest.raises(BadInput, match="number"):
        await Trip(reach, "service.limit", CART, cores=1000.0).there()
    with pytest.raises(BadInput, match="does not know"):
        await Trip(reach, "disk.clear", CART).there()
    with pytest.raises(NotFound):
        await Trip(reach, "service.restart", "service:nobody").there()
    assert reach.carries(Entity.parse("cache:valkey"), "cache.flush")
    assert not reach.carries(Entity.parse("service:nobody"), "service.restart")
    assert not reach.carries(Entity.parse(CART), "cache.flush")


async def test_without_a_lab_nothing_is_carried(tmp_path: Path) -> None:
    reach = LabReach(tmp_path)
    cart = Entity.parse(CART)

    assert not reach.carries(cart, "service.restart")
    with pytest.raises(Unreachable, match="No lab"):
        await reach.look(cart, "service.restart", {})
    port = '{"ports": {"supervisor": 1, "cart": 2}, "token": "x"}'
    (tmp_path / "lab.json").write_text(port)
    with pytest.raises(Unreachable, match="did not answer"):
        await reach.look(cart, "service.restart", {})
    with pytest.raises(BadInput, match="cannot"):
        await reach.look(cart, "service.eat", {})
    await reach.aclose()


async def test_a_flush_looks_before_and_after(reach: LabReach) -> None:
    """The cache itself is not there in a rehearsal: the lab's own tests flush a real one."""
    trip = Trip(reach, "cache.flush", "cache:valkey")
    trip.preview = await trip.action.dry_run(trip.order, trip.world)

    assert trip.preview.says == "flush cache:valkey"
    assert await trip.holds()
    assert await trip.back() == trip.action.spec.irreversible
