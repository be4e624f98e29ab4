"""The metric watch of the live house: its plan, how often it steps, and where its signs go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from opsmith.audit.states import of_label
from opsmith.backends.state.files import FileStates
from opsmith.errors import NotFound, OpsmithError
from opsmith.flows.capture import SELECTOR
from opsmith.flows.metric_watch.ahead import FAR, NEAR, Reach
from opsmith.flows.metric_watch.own_alerts import own_alerts
from opsmith.flows.metric_watch.watching import MetricWatch, Plan
from opsmith.flows.receive import Inbox
from opsmith.flows.watch import Watch
from opsmith.nouns.anomaly import Label
from opsmith.nouns.session import Principal
from opsmith.nouns.sign import OWN, Sign, SignKind
from opsmith.seams.ledger import Ledger
from opsmith.seams.metrics import Metrics
from opsmith.settings import Settings
from opsmith.wiring.kernels import compiled_elsewhere
from opsmith.wiring.looks import now
from opsmith.wiring.memory import give_back
from opsmith.wiring.own_metrics import OwnMetrics
from opsmith.wiring.troubles import Troubles
from opsmith.wiring.watch_file import natural_limits, read


class Signs:
    """Anomalies and early warnings: found by the metric watch, put into incidents, labelled.

    listeners: are told each sign after each change. Raises `BadInput` for a wrong watch file.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        metrics: Metrics | None,
        ledger: Ledger,
        watch: Watch,
        inbox: Inbox,
    ) -> None:
        self.listeners: list[Callable[[Sign], Awaitable[None]]] = []
        self._scrape_s = settings.scrape_interval_s
        self._ledger = ledger
        self._watch = watch
        self._inbox = inbox
        told = read(settings.watch_file)
        self._alone_a_day = told.alone_a_day
        own = tuple(shape.threshold("file") for shape in told.thresholds)
        plan = Plan(
            selectors=tuple(told.series) if told.series is not None else (SELECTOR,),
            thresholds=(*own, *(natural_limits() if told.natural_limits else ())),
            rules=told.alert_rules,
            most=told.most_signals,
            step=timedelta(seconds=self._scrape_s),
        )
        store = FileStates(settings.data_dir / "state")
        self._compiling: asyncio.Task[None] | None = None
        self._metric_watch: MetricWatch | None = None
        if metrics is not None:
            self._metric_watch = MetricWatch(
                metrics, ledger=ledger, store=store, plan=plan, tell=self._heed, clock=now
            )

    async def start(self, troubles: Troubles) -> None:
        """Read back what was learned, and step for as long as opsmith runs."""
        watch = self._metric_watch
        if watch is None:
            return
        await watch.load()
        self._compiling = asyncio.create_task(compiled_elsewhere())
        near = replace(NEAR, step=timedelta(seconds=self._scrape_s))
        scrape = partial(self._scrape, troubles)
        troubles.keep_doing("metric watch", scrape, every_s=self._scrape_s)
        for name, reach in (("near", near), ("far", FAR)):
            troubles.keep_doing(
                f"forecasts ({name})",
                partial(self._look_ahead, watch, reach),
                every_s=reach.every.total_seconds(),
            )

    async def _look_ahead(self, watch: MetricWatch, reach: Reach) -> None:
        await self._compiled()
        await watch.look_ahead(reach)

    async def _compiled(self) -> None:
        """Wait until nothing is left to compile here."""
        if self._compiling is not None:
            await asyncio.shield(self._compiling)

    async def _scrape(self, troubles: Troubles) -> None:
        await self._compiled()
        if self._metric_watch is not None:
            await self._metric_watch.scrape()
            troubles.note("prometheus", "")  # what the last look missed, the next one may have
            give_back()

    async def close(self) -> None:
        """Keep what was learned."""
        if self._compiling is not None:
            self._compiling.cancel()
            with suppress(asyncio.CancelledError):
                await self._compiling
        if self._metric_watch is not None:
            with suppress(OpsmithError):  # what was not kept is learned again
                await self._metric_watch.close()

    def newest(self) -> tuple[Sign, ...]:
        """Anomalies and early warnings of late, the newest last."""
        return self._metric_watch.signs() if self._metric_watch is not None else ()

    async def label(self, name: str, said: Label, *, by: Principal) -> Sign:
        """Remember a person's word on an anomaly. Raises `NotFound` when there is none such."""
        found = next((sign for sign in self.newest() if sign.id == name), None)
        if found is None or found.kind is not SignKind.ANOMALY:
            raise NotFound(f"No anomaly {name[:40]!r} was told.")
        entry = of_label(name, said, at=now(), by=by)
        await self._ledger.append([entry], durable=True)
        return found

    def count(self, own: OwnMetrics) -> None:
        """Set what is counted of the metric watch."""
        if self._metric_watch is not None:
            own.signals.set(self._metric_watch.following.signals)
            own.left_out.set(sum(n for _, n in self._metric_watch.chosen.left_out))
        own.signs.set(sum(sign.stands for sign in self.newest()))

    async def _heed(self, signs: Sequence[Sign]) -> None:
        """Put signs where they belong, and raise or end opsmith's own alerts."""
        loose = await self._watch.observe(signs)
        alerts = own_alerts(
            signs,
            loose=loose,
            known=self._inbox.known(OWN),
            alone_a_day=self._alone_a_day,
            now=now(),
        )
        await self._inbox.receive(alerts, now=now())
        for listener in self.listeners:
            for sign in signs:
                await listener(sign)
