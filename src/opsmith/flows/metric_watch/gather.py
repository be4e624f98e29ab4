"""Gather: which of a server's metrics are followed, and their newest samples as scraped."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opsmith.ingest import metric_names
from opsmith.nouns.series import Aspect, Series
from opsmith.seams.metrics import Metrics

# What users feel first, then what is used up, then the rest.
# Source: Wilkie (2015), the RED method; Gregg (2013), The USE Method.
ORDER = (
    Aspect.ERRORS,
    Aspect.LATENCY,
    Aspect.TRAFFIC,
    Aspect.POOL,
    Aspect.QUEUE,
    Aspect.CPU,
    Aspect.MEMORY,
    Aspect.DISK,
    Aspect.FILES,
    Aspect.RESTARTS,
    Aspect.CACHE,
    Aspect.NETWORK,
    Aspect.OTHER,
)
# A series without a sample for so long is no longer scraped.
RECENT = timedelta(minutes=10)
# Raw series behind one signal: requests are folded over path, method and status.
RAW_A_SIGNAL = 5
# Samples in one answer: half a megabyte of JSON, and 10 MB until they are judged. More at once
# would be faster by little, and what its parts left of the memory would stay taken.
SAMPLES_AT_ONCE = 15_000
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is followed. names: (metric, its series); left_out: the same for what was too much."""

    names: tuple[tuple[str, int], ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Metrics that are asked for together. samples: expected of all of them."""

    names: tuple[str, ...]
    samples: float


async def choose(
    metrics: Metrics, selectors: Sequence[str], *, most: int, now: datetime
) -> Chosen:
    """The metrics that match, most telling first, as many as `most` signals can carry."""
    found: Counter[str] = Counter()
    known = [await metrics.series(one, start=now - RECENT, end=now) for one in selectors]
    for labels in {labels for part in known for labels in part}:
        name = dict(labels).get("__name__", "")
        if _NAME.fullmatch(name):
            found[name] += 1
    room, names, left_out = most * RAW_A_SIGNAL, list[tuple[str, int]](), list[tuple[str, int]]()
    for name, series in sorted(found.items(), key=_rank):
        if series <= room:
            room -= series
            names.append((name, series))
        else:
            left_out.append((name, series))
    return Chosen(names=tuple(names), left_out=tuple(left_out))


async def newest(
    metrics: Metrics, chosen: Chosen, *, window: timedelta, step: timedelta, now: datetime
) -> AsyncIterator[tuple[Series, ...]]:
    """The samples of the last `window` of everything chosen, with the times of their scrapes.

    They come in small parts; those of one series by rising time.
    """
    for batch in batches(chosen, samples=max(1.0, window / step)):
        pieces = math.ceil(batch.samples / SAMPLES_AT_ONCE)
        for left in reversed(range(pieces)):
            part = window / pieces
            yield await fetch(metrics, batch.names, window=part, now=now - left * part)


async def fetch(
    metrics: Metrics, names: Sequence[str], *, window: timedelta, now: datetime
) -> tuple[Series, ...]:
    """The raw samples of some metrics. A range selector asks for them as they were scraped."""
    seconds = max(1, round(window.total_seconds()))
    return await metrics.query(f'{{__name__=~"{"|".join(names)}"}}[{seconds}s]', at=now)


def batches(chosen: Chosen, *, samples: float) -> Iterator[Batch]:
    """The names in batches whose answers stay small. samples: expected of each series."""
    batch: list[str] = []
    held = 0.0
    for name, series in chosen.names:
        if batch and held + series * samples > SAMPLES_AT_ONCE:
            yield Batch(names=tuple(batch), samples=held)
            batch, held = [], 0.0
        batch.append(name)
        held += series * samples
    if batch:
        yield Batch(names=tuple(batch), samples=held)


def _rank(pair: tuple[str, int]) -> tuple[int, str]:
    """Most telling first; the sum and the count of one timer stay beside each other."""
    base = re.sub(r"_(sum|count)$", "_seconds", pair[0])
    return ORDER.index(metric_names.aspect(base)), pair[0]
