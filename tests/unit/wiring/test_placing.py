import asyncio
from collections.abc import Sequence

import pytest

from opsmith.errors import Unreachable
from opsmith.nouns.episode import Episode
from opsmith.wiring.placing import Placing
from opsmith.wiring.troubles import Troubles
from tests.builders.episodes import episode


async def test_what_could_not_be_placed_is_placed_again_in_its_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("opsmith.wiring.placing.RETRY_S", 0.01)
    monkeypatch.setattr("opsmith.wiring.placing.APART_S", 0.0)
    placed: list[str] = []
    tried, done = asyncio.Event(), asyncio.Event()
    told: list[dict[str, str]] = []
    troubles = Troubles()

    async def place(episodes: Sequence[Episode]) -> None:
        tried.set()
        told.append(troubles.told())
        if len(told) == 1:
            raise Unreachable
        placed.extend(one.alert.fingerprint for one in episodes)
        done.set()

    placing = Placing(place, troubles=troubles)
    placing.start()
    await placing.tell([episode("a"), episode("b")])
    await tried.wait()
    await placing.tell([episode("c")])
    await done.wait()
    await asyncio.sleep(0)  # what follows a batch is noted in the same step
    await placing.close()

    assert placed == ["a", "b", "c"]
    assert "placing" in told[1]
    assert troubles.told() == {}
