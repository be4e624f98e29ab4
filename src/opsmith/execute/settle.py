"""settle: whether a plan helped; each check must come true in its time and then stay so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opsmith.errors import OpsmithError
from opsmith.execute.action import Finding
from opsmith.nouns.plan import Check

# Often enough to see a state that lasts one scrape (Prometheus' default is 15 s).
EVERY_S = 5.0

Probe = Callable[[Check], Awaitable[Finding]]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What checks are watched with. probe: looks once. clock: UTC-aware."""

    probe: Probe
    clock: Callable[[], datetime]
    sleep: Sleep
    every_s: float = EVERY_S


async def settle(checks: Sequence[Check], watcher: Watcher) -> Finding:
    """Watch all checks at once; the first that does not hold decides.

    A probe that cannot look (its server is away) counts as not seen to hold: what cannot be
    verified has not helped.
    """
    found = await asyncio.gather(*(_watched(check, watcher) for check in checks))
    failed = [one for one in found if not one.holds]
    says = "; ".join(one.says for one in failed or found)
    return Finding(holds=not failed, says=says)


async def _watched(check: Check, watcher: Watcher) -> Finding:
    """Wait until it is true, then see it true for as long as it must hold."""
    began = watcher.clock()
    true_since: datetime | None = None
    while True:
        finding = await _looked(check, watcher)
        now = watcher.clock()
        true_since = (true_since or now) if finding.holds else None
        if true_since is not None and now - true_since >= timedelta(seconds=check.holds_s):
            return finding
        if true_since is None and now - began >= timedelta(seconds=check.within_s):
            return Finding(holds=False, says=f"{finding.says} after {check.within_s:g} s")
        await watcher.sleep(watcher.every_s)


async def _looked(check: Check, watcher: Watcher) -> Finding:
    try:
        return await watcher.probe(check)
    except OpsmithError as error:
        return Finding(holds=False, says=f"{check.kind} could not be looked at: {error}")
