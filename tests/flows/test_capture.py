from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from opsmith.backends.metrics.recorded import RecordedMetrics
from opsmith.flows.capture import BEFORE, LONGEST, Buffer, Sources, capture
from opsmith.ingest import bundle
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from tests.builders.episodes import NEW_YEAR as NOW
from tests.builders.episodes import episode


class Asked:
    """A metrics server that remembers since when it was asked. series: what it has."""

    def __init__(self, *series: Series) -> None:
        self.since = NOW
        self._has = RecordedMetrics(series)

    async def query_range(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        self.since = min(self.since, start)
        return await self._has.query_range(promql, start=start, end=end, step=step)


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


async def test_what_is_asked_for_in_pieces_is_kept_whole(tmp_path: Path) -> None:
    step = timedelta(seconds=15)
    points = int((BEFORE + timedelta(minutes=20)) / step)
    up = Series(
        name="up",
        labels=(("job", "shop"),),
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=MetricKind.GAUGE,
        times_s=NOW.timestamp() - 15.0 * np.arange(points)[::-1],
        values=np.arange(points, dtype=np.float64),
    )
    asked = Asked(up)
    sources = Sources(
        metrics=asked,  # type: ignore[arg-type]
        traces=Buffer(budget_bytes=1),
        logs=Buffer(budget_bytes=1),
        step=step,
        selector="up",
    )

    lost = await capture(
        tmp_path / "bundle", sources=sources, episodes=[episode("a")], changes=(), now=NOW
    )

    (found,) = (one for one in bundle.read(tmp_path / "bundle").series if one.name == "up")
    assert lost == ()
    assert np.diff(found.times_s) == pytest.approx(15.0)
    assert found.times_s.size == int(BEFORE / step) + 1
    assert found.values.tolist() == up.values[-found.values.size :].tolist()


async def test_an_alert_that_comes_back_after_the_cure_began_is_read_as_it_fired_before(
    tmp_path: Path,
) -> None:
    def ago(seconds: float) -> datetime:
        return NOW - timedelta(seconds=seconds)

    sources = Sources(
        metrics=None,
        traces=Buffer(budget_bytes=1),
        logs=Buffer(budget_bytes=1),
        step=timedelta(seconds=15),
    )
    back = replace(episode("a", began=ago(10.0)), turns=(ago(60.0), ago(40.0), ago(9.0)))

    for until, began in ((ago(20.0), ago(60.0)), (None, ago(10.0)), (ago(70.0), ago(10.0))):
        await capture(
            tmp_path / "bundle",
            sources=sources,
            episodes=[back],
            changes=(),
            now=NOW,
            until=until,
        )

        (alert,) = bundle.read(tmp_path / "bundle").alerts
        assert alert.starts_at == began
