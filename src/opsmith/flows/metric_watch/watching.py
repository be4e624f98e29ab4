"""Watching: every scrape's samples judged, every round ahead made, every sign written down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opsmith.audit.states import LABEL, SIGN, of_sign, to_label, to_sign
from opsmith.errors import BadAnswer
from opsmith.flows.metric_watch.ahead import Lookout, Reach
from opsmith.flows.metric_watch.following import Following
from opsmith.flows.metric_watch.gather import Chosen, choose, newest
from opsmith.flows.metric_watch.signals import Signals
from opsmith.ingest.alert_rules import thresholds
from opsmith.nouns.series import Series
from opsmith.nouns.sign import Sign, SignKind, Threshold
from opsmith.seams.ledger import Ledger, Wanted
from opsmith.seams.metrics import Metrics
from opsmith.seams.state import StateStore

# What detectors want before they tell anything: 96 points and an hour, with room for gaps.
WARM_UP = timedelta(minutes=75)
# The server is asked anew what it has this often.
CHOOSE_EVERY = timedelta(minutes=10)
SAVE_EVERY = timedelta(minutes=5)
TIDY_EVERY = timedelta(hours=1)
# A server without a sample for so many scrapes has lost its targets, or its clock is not ours.
STALE_SCRAPES = 8
MOST_SIGNS = 500
PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is watched. selectors: of PromQL; thresholds: beside those of the server's rules.

    rules: whether the server's alert rules are looked ahead for. most: signals at most.
    step: how far apart scrapes are.
    """

    selectors: tuple[str, ...]
    thresholds: tuple[Threshold, ...]
    rules: bool
    most: int
    step: timedelta


class MetricWatch:
    """Follows one server's metrics.

    tell: is given the signs that began, moved or ended, once they are on the ledger.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        ledger: Ledger,
        store: StateStore,
        plan: Plan,
        tell: Callable[[Sequence[Sign]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._metrics = metrics
        self._ledger = ledger
        self._store = store
        self._plan = plan
        self._tell = tell
        self._clock = clock
        self._signals = Signals()
        self._signs: deque[str] = deque()
        self._known: dict[str, Sign] = {}
        self._did: dict[str, datetime] = {}
        self._warm = False
        self.following = Following(most=plan.most)
        self.lookout = Lookout(metrics)
        self.chosen = Chosen()

    def signs(self) -> tuple[Sign, ...]:
        """The newest signs, the newest last."""
        return tuple(self._known[name] for name in self._signs)

    async def load(self) -> None:
        """Read back the signs and what the detectors had learned; call once before a step."""
        after = 0
        while records := await self._ledger.read(
            Wanted(kind=SIGN, latest=True, after=after, limit=PAGE)
        ):
            for record in records:
                self._remember(to_sign(record))
            after = records[-1].seq
        await self.following.restore(self._store)
        self.following.resume(self.signs())
        self.lookout.resume(self.signs())

    async def scrape(self) -> None:
        """Judge what was scraped since the last call. Raises `WorldError` when nothing was."""
        now = self._clock()
        if self._is_due("choose", CHOOSE_EVERY, now):
            self.chosen = await choose(
                self._metrics, self._plan.selectors, most=self._plan.most, now=now
            )
            self._did["choose"] = now
        if not self.chosen.names:
            del self._did["choose"]  # targets may come up at any moment
            raise BadAnswer("The metrics server has nothing that the watch file's series match.")
        if not self._warm:  # what the last hour's samples say was told before, or is too late
            async for part in self._new_samples(WARM_UP, now):
                await asyncio.to_thread(self._judge, part)
            self._warm = True
        since = now - self._did.get("scrape", now)
        window = min(WARM_UP, max(since, timedelta(0)) + 3 * self._plan.step)
        raw = [one async for one in self._scraped(window, now)]
        await self._heard(raw, now)
        signs = await asyncio.to_thread(self._judge, raw)
        self._did["scrape"] = now
        await self._say(signs, now)
        await self._take_labels()
        await self._keep(now)

    async def look_ahead(self, reach: Reach) -> None:
        """One round of forecasts against all thresholds."""
        now = self._clock()
        wanted = self._plan.thresholds
        if self._plan.rules:
            wanted = (*wanted, *thresholds(await self._metrics.rules()))
        await self._say(await self.lookout.round(wanted, reach, now=now), now)

    async def close(self) -> None:
        """Keep what was learned."""
        if self._warm:
            await self.following.save(self._store)

    async def _scraped(self, window: timedelta, now: datetime) -> AsyncIterator[Series]:
        async for part in self._new_samples(window, now):
            for one in part:
                yield one

    def _new_samples(self, window: timedelta, now: datetime) -> AsyncIterator[tuple[Series, ...]]:
        return newest(self._metrics, self.chosen, window=window, step=self._plan.step, now=now)

    def _judge(self, raw: Sequence[Series]) -> tuple[Sign, ...]:
        return self.following.take(self._signals.take(raw))

    async def _heard(self, raw: Sequence[Series], now: datetime) -> None:
        """Raises `BadAnswer` when nothing new was scraped for long."""
        if any(one.times_s.size for one in raw):
            self._did["heard"] = now
        silent = now - self._did.setdefault("heard", now)
        if silent > STALE_SCRAPES * self._plan.step:
            raise BadAnswer(
                f"The metrics server has had no sample for {silent.total_seconds():.0f} s;"
                " are its targets up, and is its clock ours?"
            )

    async def _say(self, signs: Sequence[Sign], now: datetime) -> None:
        """Write down, then tell."""
        if not signs:
            return
        await self._ledger.append([of_sign(sign, at=now) for sign in signs], durable=False)
        for sign in signs:
            self._remember(sign)
        await self._tell(signs)

    def _remember(self, sign: Sign) -> None:
        if sign.id not in self._known:
            self._signs.append(sign.id)
        self._known[sign.id] = sign
        while len(self._signs) > MOST_SIGNS:
            del self._known[self._signs.popleft()]

    async def _take_labels(self) -> None:
        """Let what people said of anomalies, here or in another process, move the detectors."""
        wanted = Wanted(kind=LABEL, after=self.following.labels_read)
        for record in await self._ledger.read(wanted):
            sign = self._known.get(record.entry.subject)
            if sign is not None and sign.kind is SignKind.ANOMALY:
                self.following.label(sign, to_label(record))
            self.following.labels_read = record.seq

    async def _keep(self, now: datetime) -> None:
        if self._is_due("tidy", TIDY_EVERY, now):
            await self._say(self.following.tidy(now), now)
            self._did["tidy"] = now
        if self._is_due("save", SAVE_EVERY, now):
            await self.following.save(self._store)
            self._did["save"] = now

    def _is_due(self, what: str, every: timedelta, now: datetime) -> bool:
        """Whether it is time; also after the clock was set back."""
        last = self._did.get(what)
        return last is None or not timedelta(0) <= now - last < every
