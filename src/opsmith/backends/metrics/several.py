"""Several metrics servers asked as one: each holds its own part of the series."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import TypeVar

from opsmith.backends.metrics.prometheus import PrometheusMetrics
from opsmith.errors import Unreachable, WorldError
from opsmith.nouns.series import Series
from opsmith.nouns.sign import AlertRule

Labels = tuple[tuple[str, str], ...]
One = TypeVar("One")


class SeveralMetrics:
    """The metrics seam over servers by name. Of a series that two hold, the first one's counts.

    hear: is told which servers an answer lacks; when none answers, `Unreachable` is raised.
    """

    def __init__(
        self, servers: Mapping[str, PrometheusMetrics], *, hear: Callable[[str], None]
    ) -> None:
        self._servers = dict(servers)
        self._hear = hear

    async def query(self, promql: str, *, at: datetime) -> tuple[Series, ...]:
        """Each matching series of any server with its one sample at `at`."""
        return _first_of(await self._all(lambda one: one.query(promql, at=at)))

    async def query_range(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Each matching series of any server from `start` to `end`."""
        return _first_of(
            await self._all(lambda one: one.query_range(promql, start=start, end=end, step=step))
        )

    async def series(self, matcher: str, *, start: datetime, end: datetime) -> tuple[Labels, ...]:
        """The label sets that match a selector on any server."""
        found = await self._all(lambda one: one.series(matcher, start=start, end=end))
        return tuple(sorted({labels for part in found for labels in part}))

    async def rules(self) -> tuple[AlertRule, ...]:
        """The alerting rules of all servers, each once."""
        found = await self._all(lambda one: one.rules())
        return tuple(dict.fromkeys(rule for part in found for rule in part))

    async def aclose(self) -> None:
        """Close the connections of all."""
        async with AsyncExitStack() as stack:
            for server in self._servers.values():
                stack.push_async_callback(server.aclose)

    async def _all(
        self, ask: Callable[[PrometheusMetrics], Awaitable[tuple[One, ...]]]
    ) -> list[tuple[One, ...]]:
        """The answers that came. Raises what the question itself gets wrong."""
        answers = await asyncio.gather(*map(ask, self._servers.values()), return_exceptions=True)
        found: list[tuple[One, ...]] = []
        lost: list[str] = []
        for name, answer in zip(self._servers, answers, strict=True):
            if isinstance(answer, WorldError):
                lost.append(f"{name}: {answer}")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found.append(answer)
        if not found:
            raise Unreachable(f"No metrics server answered. {' '.join(lost)}")
        for one in lost:
            self._hear(one)
        return found


def _first_of(answers: list[tuple[Series, ...]]) -> tuple[Series, ...]:
    found: dict[tuple[str, Labels], Series] = {}
    for answer in answers:
        for one in answer:
            found.setdefault((one.name, one.labels), one)
    return tuple(found.values())
