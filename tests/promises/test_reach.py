"""Every reach keeps every promise."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders.labs import rehearsed_lab

from opsmith.backends.reach.files import FilePlace, FilesReach
from opsmith.backends.reach.lab import LabReach
from opsmith.nouns.entity import Entity
from opsmith.testing.acting import REACH_CHECKS, TURN, DialReach, Trial

CART = Entity.service("cart")


def dials(_: Path) -> Trial:
    return Trial(
        reach=DialReach({"cart": 1}),
        target=CART,
        verb=TURN,
        values={"to": 3},
        broken=Entity.service("none"),
    )


def files(folder: Path) -> Trial:
    (folder / "cart.env").write_text("POOL=40\n")
    places = {CART: FilePlace(config=folder / "cart.env")}
    return Trial(
        reach=FilesReach(places, clock=lambda: datetime.now(UTC), patches=folder),
        target=CART,
        verb="config.set",
        values={"key": "POOL", "value": "80"},
        broken=Entity.service("none"),
    )


async def test_the_lab_keeps_the_promises_of_a_reach(tmp_path: Path) -> None:
    for number, check in enumerate(REACH_CHECKS):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with rehearsed_lab(folder) as lab:
            reach = LabReach(lab.data)
            trial = Trial(
                reach=reach,
                target=Entity.service("payments"),
                verb="config.set",
                values={"key": "pool_size", "value": "8"},
                broken=Entity.service("none"),
            )

            await check(trial)

            await reach.aclose()


@pytest.mark.parametrize("opened", [dials, files], ids=lambda one: one.__name__)
@pytest.mark.parametrize("check", REACH_CHECKS, ids=lambda check: check.__name__)
async def test_a_reach_keeps_its_promise(
    check: Callable[[Trial], Awaitable[None]], opened: Callable[[Path], Trial], tmp_path: Path
) -> None:
    trial = opened(tmp_path)

    await check(trial)

    await trial.reach.aclose()
