"""look_after: one look at whether a plan helped: an expression, a forecast, an address."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

import numpy as np

from opsmith.errors import BadInput, Unreachable
from opsmith.execute.action import Finding
from opsmith.forecast.predict import forecast
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.plan import Check, CheckKind
from opsmith.nouns.series import Series
from opsmith.seams.metrics import Metrics
from opsmith.seams.wire import Wire

# A day shows the daily rhythm once; more costs more and says little about the next hour.
HISTORY = timedelta(days=1)
STEP = timedelta(minutes=1)
# The 95 % interval: one look in twenty at a healthy series falls outside, and a check looks
# again until its time is over.
LOW, HIGH = 0.025, 0.975


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """What is looked with. metrics: None when no server is configured; clock: UTC-aware.

    episode: the newest state of an alert by its fingerprint, None for one never seen.
    """

    metrics: Metrics | None
    episode: Callable[[str], Awaitable[Episode | None]]
    wire: Callable[[str], Wire]
    clock: Callable[[], datetime]


async def look(check: Check, eyes: Eyes) -> Finding:
    """Whether a check holds now. Raises `WorldError` when that cannot be seen."""
    match check.kind:
        case CheckKind.QUIET:
            return await _quiet(check, eyes)
        case CheckKind.RESOLVED:
            return await _resolved(check, eyes)
        case CheckKind.WITHIN_BAND:
            return await _within_band(check, eyes)
        case CheckKind.HTTP_OK:
            return await _http_ok(check, eyes)


async def _quiet(check: Check, eyes: Eyes) -> Finding:
    """An alert's own expression gives series while the alert would fire, and none after."""
    found = await _asked(eyes).query(check.subject, at=eyes.clock())
    if not found:
        return Finding(holds=True, says=f"{check.subject} is quiet")
    return Finding(holds=False, says=f"{check.subject} still holds for {len(found)} series")


async def _resolved(check: Check, eyes: Eyes) -> Finding:
    """What Alertmanager has told; slower than its expression, but true of any sender."""
    episode = await eyes.episode(check.subject)
    if episode is None:
        raise Unreachable(f"The alert {check.subject[:40]} is not known.")
    name = episode.alert.name
    if episode.state is EpisodeState.RESOLVED:
        return Finding(holds=True, says=f"{name} is resolved")
    return Finding(holds=False, says=f"{name} still fires")


async def _within_band(check: Check, eyes: Eyes) -> Finding:
    """Every series is again where the time before the trouble says that it should be."""
    if check.since is None:
        raise BadInput("A forecast to compare with needs to know when the trouble began.")
    metrics, now = _asked(eyes), eyes.clock()
    before = await metrics.query_range(
        check.subject, start=check.since - HISTORY, end=check.since, step=STEP
    )
    latest = {one.key: one for one in await metrics.query(check.subject, at=now)}
    if not before:
        raise Unreachable(f"{check.subject} has no history before the trouble.")
    out = [
        said
        for one in before
        if (said := await asyncio.to_thread(_outside, one, latest.get(one.key), now))
    ]
    says = out[0] if out else f"{check.subject} is where it was forecast"
    return Finding(holds=not out, says=says)


def _outside(history: Series, latest: Series | None, now: datetime) -> str:
    """Why a series is not where it should be; empty when it is."""
    if latest is None or not len(latest.values):
        return f"{history.name} has no value now"
    ahead_s = max(now.timestamp() - float(history.times_s[-1]), STEP.total_seconds())
    found = forecast(history, horizon_s=ahead_s)
    place = int(np.argmin(np.abs(found.times_s - now.timestamp())))
    low, high = float(found.level(LOW)[place]), float(found.level(HIGH)[place])
    value = float(latest.values[-1])
    if low <= value <= high:
        return ""
    return f"{history.name} is {value:g}, forecast {low:g} to {high:g}"


async def _http_ok(check: Check, eyes: Eyes) -> Finding:
    async with aclosing(eyes.wire(check.subject)) as wire:
        status = (await wire.probe("GET", most_bytes=1)).status
        says = f"{wire.where} answers {status}"
    return Finding(holds=status < HTTPStatus.BAD_REQUEST, says=says)


def _asked(eyes: Eyes) -> Metrics:
    if eyes.metrics is None:
        raise Unreachable("No metrics server is configured, so nothing can be verified there.")
    return eyes.metrics
