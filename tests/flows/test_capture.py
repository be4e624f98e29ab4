from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsmith.flows.capture import BEFORE, LONGEST, Buffer, Sources, capture
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.series import Aspect, Series
from opsmith.nouns.signals import Alert, AlertSource, Direction

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def episode(began: datetime | None) -> Episode:
    alert = Alert(
        fingerprint=f"{began}",
        name="Slow",
        entity=Entity.service("cart"),
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="m",
        severity="critical",
        starts_at=began,
        ends_at=None,
    )
    return Episode(alert=alert, state=EpisodeState.FIRING, first_seen=NOW, turns=(NOW,))


class Asked:
    """A metrics server that has nothing and remembers since when it was asked."""

    since = NOW

    async def query_range(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        del promql, end, step
        self.since = start
        return ()


@pytest.mark.parametrize(
    ("began", "first"),
    [
        ([NOW - timedelta(minutes=5)], NOW - timedelta(minutes=5)),
        ([NOW - timedelta(days=60), NOW - timedelta(minutes=5)], NOW - timedelta(minutes=5)),
        ([NOW - LONGEST - timedelta(seconds=1)], NOW),
        ([NOW + timedelta(hours=1)], NOW),
        ([None], NOW),
    ],
)
async def test_what_is_asked_for_begins_before_the_first_alert_of_late(
    tmp_path: Path, began: list[datetime | None], first: datetime
) -> None:
    asked = Asked()
    sources = Sources(
        metrics=asked,  # type: ignore[arg-type]
        traces=Buffer(budget_bytes=1),
        logs=Buffer(budget_bytes=1),
        step=timedelta(seconds=15),
    )

    await capture(
        tmp_path / "bundle",
        sources=sources,
        episodes=[episode(at) for at in began],
        changes=(),
        now=NOW,
    )

    assert asked.since == first - BEFORE
