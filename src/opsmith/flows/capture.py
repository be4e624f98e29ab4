"""capture: what can be known of an incident now, gathered from all sources into a bundle."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from opsmith.errors import OpsmithError
from opsmith.ingest.bundle_write import Kept, write
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.recording import Window
from opsmith.nouns.series import Series
from opsmith.nouns.signals import Change
from opsmith.nouns.topology import Topology
from opsmith.seams.metrics import Metrics

# What precedes the first alert and counts as normal: long enough that a fault which grew for
# a quarter of an hour before anybody noticed still leaves half an hour of health.
BEFORE = timedelta(minutes=45)
# Alerts wait (`for:` 1 to 5 minutes is common) before they fire.
LEAD = timedelta(minutes=5)
# An alert that began longer ago is no start of what is looked into now; some fire for months, and
# asking for all of that time is refused by any server.
LONGEST = timedelta(hours=3)
# A quarter of an hour of the common scrape interval.
STEPS_AT_ONCE = 60

# The RED and USE metrics by the conventions of Prometheus' naming, buckets left out: a
# quantile from them costs ten times the samples and localise reads mean and count.
# Source: Prometheus, "Metric and label naming"; Gregg (2013), The USE Method.
WANTED = (
    ".*(requests?|errors?|failures?|exceptions?|retries|timeouts?|restarts?|rejected|evict).*"
    "|.+_(seconds|duration|latency)[a-z_]*_(sum|count)"
    "|.*(cpu|mem|oom|rss|fds|threads|pool|conn|queue|lag|backlog|disk|filesystem|_fs_|volume|cache"
    "|hit|miss|network|quota|limit|throttl|start_time).*"
    "|up"
)
UNWANTED = (
    ".*_bucket|.*_created|go_.*|python_.*|scrape_.*|prometheus_.*|promhttp_.*|alertmanager_.*"
    "|ALERTS.*|opsmith_.*"
)
SELECTOR = f'{{__name__=~"{WANTED}",__name__!~"{UNWANTED}"}}'


@dataclass(slots=True, kw_only=True)
class Buffer:
    """The newest export requests of one signal, as they came; the oldest give way.

    budget_bytes: how much is kept. dropped: requests that gave way before their time.
    """

    budget_bytes: int
    keep_for: timedelta = BEFORE
    dropped: int = 0
    _held: deque[tuple[datetime, bytes]] = field(default_factory=deque)
    _bytes: int = 0

    def add(self, request: bytes, *, now: datetime) -> None:
        """Keep one request."""
        self._held.append((now, request))
        self._bytes += len(request)
        while self._held and now - self._held[0][0] > self.keep_for:
            self._bytes -= len(self._held.popleft()[1])
        while self._bytes > self.budget_bytes:
            self._bytes -= len(self._held.popleft()[1])
            self.dropped += 1

    def lines(self) -> tuple[bytes, ...]:
        """All that is kept, oldest first."""
        return tuple(request for _, request in self._held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where evidence comes from. metrics: None when no server is configured.

    topology: what is known of who calls whom beside what the traces tell; None for nothing.
    """

    metrics: Metrics | None
    traces: Buffer
    logs: Buffer
    step: timedelta
    selector: str = SELECTOR
    topology: Callable[[], Topology | None] = lambda: None


async def capture(
    folder: Path,
    *,
    sources: Sources,
    episodes: Sequence[Episode],
    changes: Sequence[Change],
    now: datetime,
    until: datetime | None = None,
) -> tuple[str, ...]:
    """Write the bundle `folder` of the alerts in `episodes`; what could not be had, in words.

    A metrics server that does not answer costs its part, not the bundle.
    until: when the trouble was answered, None if it was not: what came later is no evidence.
    """
    end = min(now, until or now)
    episodes = [_as_of(episode, end) for episode in episodes]
    first = _first(episodes, now)
    lost: tuple[str, ...] = ()
    series: tuple[Series, ...] = ()
    if sources.metrics is not None:
        try:
            series = await _measured(sources, sources.metrics, first - BEFORE, end)
        except OpsmithError as error:
            lost = (f"metrics: {error}",)
    kept = Kept(
        name=folder.name,
        window=Window(start=first - LEAD, end=end + sources.step),
        alerting=_suffering(episodes),
        series=series,
        alerts=tuple(episode.alert for episode in episodes),
        traces=sources.traces.lines(),
        logs=sources.logs.lines(),
        changes=tuple(one for one in changes if first - BEFORE <= one.at <= end),
        topology=sources.topology(),
    )
    await asyncio.to_thread(write, folder, kept)
    return lost


async def _measured(
    sources: Sources, metrics: Metrics, start: datetime, end: datetime
) -> tuple[Series, ...]:
    """The metrics of that time, each series whole, asked for piece by piece.

    As they come, the samples of some thousand series take ten times what they take as arrays.
    """
    parts: dict[tuple[str, tuple[tuple[str, str], ...]], list[Series]] = {}
    while start <= end:
        last = min(start + (STEPS_AT_ONCE - 1) * sources.step, end)
        for one in await metrics.query_range(
            sources.selector, start=start, end=last, step=sources.step
        ):
            parts.setdefault((one.name, one.labels), []).append(one)
        start += STEPS_AT_ONCE * sources.step
    return tuple(map(_whole, parts.values()))


def _whole(parts: Sequence[Series]) -> Series:
    if len(parts) == 1:
        return parts[0]
    return replace(
        parts[0],
        times_s=np.concatenate([one.times_s for one in parts]),
        values=np.concatenate([one.values for one in parts]),
    )


def _as_of(episode: Episode, end: datetime) -> Episode:
    """An alert that fires anew since `end` as it fired before; else as it is.

    It may come back while its cure still takes effect, and the trouble did not begin then.
    """
    began = episode.alert.starts_at
    if began is None or began <= end:
        return episode
    last = -1 if episode.state is EpisodeState.FIRING else -2
    fired = [at for at in episode.turns[last::-2] if at <= end]  # every other turn is an end
    if not fired:
        return episode
    return replace(episode, alert=replace(episode.alert, starts_at=fired[0], ends_at=None))


def _first(episodes: Sequence[Episode], now: datetime) -> datetime:
    """When the first of the alerts began; a sender's clock may be ahead of ours."""
    starts = (e.alert.starts_at for e in episodes if e.alert.starts_at is not None)
    return min((start for start in starts if timedelta(0) <= now - start <= LONGEST), default=now)


def _suffering(episodes: Sequence[Episode]) -> tuple[Entity, ...]:
    """Who the first of the loudest alerts is about: there the path starts."""
    loud = [e for e in episodes if e.alert.severity in ("critical", "page", "slo")] or episodes
    return tuple(dict.fromkeys(episode.alert.entity for episode in loud))[:3]
