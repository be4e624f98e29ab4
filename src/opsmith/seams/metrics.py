"""The metrics seam: where series come from."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from opsmith.nouns.series import Series
from opsmith.nouns.sign import AlertRule


class Metrics(Protocol):
    """Answers what a metric was.

    Times are UTC-aware. A series has one value a timestamp; gaps are NaN or absent.
    Raises `Unreachable` when the store does not answer, `BadAnswer` when it answers nonsense,
    `BadInput` when it rejects the query.
    """

    async def query(self, promql: str, *, at: datetime) -> tuple[Series, ...]:
        """Each matching series with its one sample at `at`.

        A range selector (`name[5m]`) gives all samples of that time up to `at`, as scraped.
        """

    async def query_range(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Each matching series from `start` to `end`, both included, one sample a `step`."""

    async def series(
        self, matcher: str, *, start: datetime, end: datetime
    ) -> tuple[tuple[tuple[str, str], ...], ...]:
        """The label sets (with `__name__`) of the series that match a selector in that time."""

    async def rules(self) -> tuple[AlertRule, ...]:
        """What the store alerts on by its own account; nothing where it knows no rules."""
