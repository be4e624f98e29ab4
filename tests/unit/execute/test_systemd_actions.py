"""service.restart over a real bus, with an emulated systemd on it."""

from pathlib import Path

import pytest
from builders.systemd import systemd

from opsmith.backends.reach.systemd import SystemdReach
from opsmith.errors import BadAnswer, NotFound, Unreachable
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order
from opsmith.testing.acting import OneWay

CART, NONE = Entity.service("cart"), Entity.service("none")
RESTART = Registry(BUILT_IN).get("service.restart")
UNITS = {CART: "cart.service", NONE: "none.service"}


async def test_a_unit_is_restarted_once(tmp_path: Path) -> None:
    order = Order(action="service.restart", target=CART)
    async with systemd(tmp_path) as (address, unit):
        world = OneWay(way=SystemdReach(UNITS, address=address))

        preview = await RESTART.dry_run(order, world)
        assert not (await RESTART.verify(order, preview, world)).holds
        assert await RESTART.apply(order, preview, world) == "restarted cart.service"
        assert (await RESTART.verify(order, preview, world)).holds
        await RESTART.apply(order, preview, world)

    assert unit.starts == 2


async def test_a_unit_that_does_not_come_up_and_one_that_is_not_there(tmp_path: Path) -> None:
    async with systemd(tmp_path) as (address, unit):
        reach = SystemdReach(UNITS, address=address)
        unit.broken = True

        with pytest.raises(BadAnswer, match="ended with failed"):
            await reach.send(CART, "service.restart", {}, deadline_s=20)
        assert (await reach.look(CART, "service.restart", {})).facts["running"] is False
        with pytest.raises(NotFound, match="none"):
            await reach.look(NONE, "service.restart", {})


async def test_a_bus_that_is_not_there_is_said(tmp_path: Path) -> None:
    reach = SystemdReach(UNITS, address=f"unix:path={tmp_path}/none")

    with pytest.raises(Unreachable, match="The bus did not answer"):
        await reach.look(CART, "service.restart", {})
