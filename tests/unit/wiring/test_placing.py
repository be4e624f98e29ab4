import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from opsmith.errors import Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.wiring.placing import Placing
from opsmith.wiring.troubles import Troubles

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def episode(name: str) -> Episode:
    alert = Alert(
        fingerprint=name,
        name="Slow",
        entity=Entity.service("cart"),
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="m",
        severity="critical",
        starts_at=NOW,
        ends_at=None,
    )
    return Episode(alert=alert, state=EpisodeState.FIRING, first_seen=NOW, turns=(NOW,))


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
