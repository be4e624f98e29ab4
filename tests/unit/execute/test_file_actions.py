"""Actions on files, each from its rehearsal to its undo."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsmith.backends.reach.files import FilePlace, FilesReach
from opsmith.execute.action import Action
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order, Value
from opsmith.testing.acting import OneWay

CART = Entity.service("cart")
NOW = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> OneWay:
    (tmp_path / "cart.env").write_text("POOL=40\n")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("x")
    os.utime(tmp_path / "logs" / "a.log", (0, 0))
    place = FilePlace(config=tmp_path / "cart.env", logs=tmp_path / "logs")
    return OneWay(way=FilesReach({CART: place}, clock=lambda: NOW, patches=tmp_path / "patches"))


def of(name: str, **values: Value) -> tuple[Action, Order]:
    order = Order(action=name, target=CART, values=values)
    return Registry(BUILT_IN).checked(order), order


async def test_a_setting_goes_there_and_back(world: OneWay, tmp_path: Path) -> None:
    action, order = of("config.set", key="POOL", value="80")

    preview = await action.dry_run(order, world)
    says = await action.apply(order, preview, world)
    assert (await action.verify(order, preview, world)).holds
    await action.undo(order, preview, world)

    assert preview.says == "POOL of service:cart: 40 -> 80"
    assert says == "POOL: 40 -> 80"
    assert (tmp_path / "cart.env").read_text() == "POOL=40\n"
    assert not (await action.verify(order, preview, world)).holds


async def test_logs_go_aside_and_back(world: OneWay, tmp_path: Path) -> None:
    action, order = of("logs.quarantine", older_than_s=3600)

    preview = await action.dry_run(order, world)
    await action.apply(order, preview, world)
    assert (await action.verify(order, preview, world)).holds
    assert not (tmp_path / "logs" / "a.log").exists()
    await action.undo(order, preview, world)

    assert (tmp_path / "logs" / "a.log").exists()
    assert "set aside 1 file of service:cart" in preview.says


async def test_logs_go_for_good(world: OneWay, tmp_path: Path) -> None:
    action, order = of("logs.clean", older_than_s=3600)

    preview = await action.dry_run(order, world)
    assert not (await action.verify(order, preview, world)).holds
    await action.apply(order, preview, world)

    assert (await action.verify(order, preview, world)).holds
    assert not (tmp_path / "logs" / "a.log").exists()
    assert await action.undo(order, preview, world) == action.spec.irreversible


async def test_a_patch_changes_nothing_live(world: OneWay, tmp_path: Path) -> None:
    action, order = of("config.patch", key="POOL", value="80")

    preview = await action.dry_run(order, world)
    says = await action.apply(order, preview, world)

    assert (await action.verify(order, preview, world)).holds
    assert Path(says.removeprefix("wrote ")).read_text().endswith("-POOL=40\n+POOL=80\n")
    assert (tmp_path / "cart.env").read_text() == "POOL=40\n"
    assert await action.undo(order, preview, world) == "nothing was changed"
