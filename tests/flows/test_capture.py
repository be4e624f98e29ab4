from datetime import datetime, timedelta
from pathlib import Path

import pytest

from opsmith.flows.capture import BEFORE, LONGEST, Buffer, Sources, capture
from opsmith.nouns.series import Series
from tests.builders.episodes import NEW_YEAR as NOW
from tests.builders.episodes import episode


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
        episodes=[episode(f"a{n}", began=at) for n, at in enumerate(began)],
        changes=(),
        now=NOW,
    )

    assert asked.since == first - BEFORE
