import asyncio

from opsmith.errors import Unreachable
from opsmith.wiring.troubles import Troubles


async def test_a_part_that_fails_is_named_until_it_succeeds() -> None:
    troubles, answers = Troubles(), [Unreachable("down"), None]
    seen: list[dict[str, str]] = []

    async def step() -> None:
        seen.append(troubles.told())
        if answers and (error := answers.pop(0)) is not None:
            raise error

    troubles.keep_doing("store", step, every_s=0.0)
    await asyncio.sleep(0.05)
    await troubles.stop()

    assert seen[:3] == [{}, {"store": "down"}, {}]


async def test_a_defect_ends_one_part_alone_and_is_said() -> None:
    troubles, turns = Troubles(), []

    async def broken() -> None:
        raise KeyError("x")

    async def sound() -> None:
        turns.append(1)

    troubles.keep_doing("broken", broken, every_s=0.0)
    troubles.keep_doing("sound", sound, every_s=0.0)
    await asyncio.sleep(0.05)
    await troubles.stop()

    assert "KeyError" in troubles.told()["broken"]
    assert len(turns) > 2
