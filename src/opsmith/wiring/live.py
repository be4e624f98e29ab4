"""The live house: one App holds the ledger, the inbox, the watch and their sources."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from random import SystemRandom
from time import monotonic
from types import TracebackType
from typing import Self

from prometheus_client import generate_latest

from opsmith.audit.states import of_change
from opsmith.backends.alerts.alertmanager import AlertmanagerAlerts
from opsmith.errors import OpsmithError, WorldError
from opsmith.flows.announce import Announcer
from opsmith.flows.capture import Buffer, Sources
from opsmith.flows.change_control import ChangeControl
from opsmith.flows.receive import Inbox
from opsmith.flows.remember import Memory
from opsmith.flows.watch import Watch
from opsmith.ingest.alertmanager import from_api, from_webhook
from opsmith.ingest.changes import from_webhook as from_change_webhook
from opsmith.ingest.otlp_wire import log_request, trace_request
from opsmith.nouns.episode import Episode
from opsmith.nouns.incident import Incident
from opsmith.nouns.record import Entry
from opsmith.nouns.series import Aspect, Meaning, MetricKind, Unit
from opsmith.nouns.signals import Change
from opsmith.settings import Settings
from opsmith.wiring.audit import sealing
from opsmith.wiring.collection import collection
from opsmith.wiring.desk import Desk
from opsmith.wiring.graph import open_graph
from opsmith.wiring.healing import Healing
from opsmith.wiring.ledger import open_ledger
from opsmith.wiring.lessons import Lessons
from opsmith.wiring.llm import Inference
from opsmith.wiring.looks import Looks, now
from opsmith.wiring.memory import tidy
from opsmith.wiring.metric_watch import Signs
from opsmith.wiring.news import News
from opsmith.wiring.notices import places
from opsmith.wiring.own_metrics import OwnMetrics
from opsmith.wiring.placing import Placing
from opsmith.wiring.polling import Pollers
from opsmith.wiring.quiet import Quiet
from opsmith.wiring.sources import open_metrics, say
from opsmith.wiring.stream import consumer
from opsmith.wiring.tasks import TaskDesk
from opsmith.wiring.troubles import Troubles

# Share of the 250 MB that an idle watcher may take; traces tell most.
TRACE_BYTES = 48 * 1024 * 1024
LOG_BYTES = 24 * 1024 * 1024
TICK_S = 10.0
# How late an open page hears of a plan's step; people do not see less.
NEWS_S = 0.5
# Alerts looked at before others have their turn.
AT_ONCE = 500
# How long what was written stands without a signature, at the most.
SEAL_S = 300.0
TIDY_S = 300.0


class App:
    """Everything that runs under `opsmith up`; enter it to start, leave it to stop.

    listeners: are told each incident after each change.
    """

    def __init__(self, settings: Settings, *, version: str) -> None:
        self.version = version
        self.listeners: list[Callable[[Incident], Awaitable[None]]] = []
        self._settings = settings
        self._troubles, self._own = Troubles(), OwnMetrics()
        self._ledger = open_ledger(settings)
        self._metrics = open_metrics(settings, describe=_raw, hear=self._hear)
        self._alerts = AlertmanagerAlerts(url) if (url := settings.alertmanager_url) else None
        self._pollers = Pollers(
            settings, ledger=self._ledger, metrics=self._metrics, take_logs=self._take_records
        )
        self._sources = self._empty_sources()
        self.quiet = Quiet(self._ledger)
        self.inference = Inference(settings)
        self.tasks = TaskDesk(settings)
        self.news = News(self._ledger, self.tasks)
        self.desk = Desk(settings, self._ledger, self.inference, lambda: self.control)
        self._placing = Placing(self._place, troubles=self._troubles)
        self.inbox = Inbox(self._ledger, tell=self._placing.tell)
        self._stream = consumer(
            settings, ledger=self._ledger, inbox=self.inbox, troubles=self._troubles
        )
        self._graph = open_graph(settings)
        self.memory = Memory(self._graph)
        self.looks = self._with_eyes()
        self.watch = self._with_watch()
        self._announcer = self._with_voice()
        self.listeners.append(self._announcer.tell)
        self.collection = collection(settings, self._own.registry)
        self._pollers.topology.know = self.watch.know
        self.looks.know, self.looks.like = self._pollers.topology.learn, self.watch.like
        self.lessons = Lessons(settings, ledger=self._ledger)
        self.signs = self._with_signs()
        self.healing = Healing(
            settings, ledger=self._ledger, metrics=self._metrics, troubles=self._troubles
        )
        self.listeners.append(self.healing.tell)

    def _empty_sources(self) -> Sources:
        return Sources(
            metrics=self._metrics,
            traces=Buffer(budget_bytes=TRACE_BYTES),
            logs=Buffer(budget_bytes=LOG_BYTES),
            step=timedelta(seconds=self._settings.scrape_interval_s),
            topology=self._pollers.topology.stated,
        )

    def _with_eyes(self) -> Looks:
        return Looks(
            self._settings,
            ledger=self._ledger,
            sources=self._sources,
            episode=self.inbox.episode,
            troubles=self._troubles,
            memory=self.memory,
        )

    def _with_watch(self) -> Watch:
        return Watch(
            self._ledger,
            look=self.looks,
            weigh=self.looks.weigh,
            announce=self._announce,
            clock=now,
        )

    def _with_signs(self) -> Signs:
        return Signs(
            self._settings,
            metrics=self._metrics,
            ledger=self._ledger,
            watch=self.watch,
            inbox=self.inbox,
        )

    def _with_voice(self) -> Announcer:
        return Announcer(
            places(self._settings.notify_file),
            ledger=self._ledger,
            link=self._link,
            clock=now,
            sleep=asyncio.sleep,
            rng=SystemRandom(),
        )

    async def __aenter__(self) -> Self:
        """Read back what is known and start the parts that run by themselves."""
        await self.watch.load()
        await self.inbox.load()
        await self._announcer.load()
        self._placing.start()
        await self._look_at_the_untold()
        self._troubles.keep_doing("news", self.news.step, every_s=NEWS_S)
        self._troubles.keep_doing("watch", self._tick, every_s=TICK_S)
        if self._alerts is not None:
            self._troubles.keep_doing("alertmanager", self._reconcile, every_s=TICK_S)
        if self._stream is not None:
            self._troubles.keep_doing("kafka", self._stream.follow, every_s=TICK_S)
        await self.signs.start(self._troubles)
        self._pollers.start(self._troubles)
        await self.healing.start()
        every_s = self._settings.hot_reload_interval_ms / 1e3
        self._troubles.keep_doing("model", self.desk.take_up_model, every_s=every_s)
        step = sealing(self._settings, self._ledger)
        self._troubles.keep_doing("seals", step, every_s=SEAL_S)
        self._troubles.keep_doing("memory", tidy, every_s=TIDY_S)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop what runs, let go of servers and files."""
        await self._troubles.stop()
        await self._placing.close()
        await self.healing.close()
        await self.signs.close()
        await self.lessons.close()
        await self.watch.close()
        await self._announcer.close()
        await self._pollers.close()
        await self.looks.close()
        await self.desk.aclose()
        await self.tasks.aclose()
        await self.inference.aclose()
        await self._graph.aclose()
        if self._metrics is not None:
            await self._metrics.aclose()
        if self._alerts is not None:
            await self._alerts.aclose()
        await asyncio.to_thread(self._ledger.close)

    @property
    def control(self) -> ChangeControl:
        """What takes plans from their proposal to their outcome."""
        return self.healing.control

    async def receive(self, body: bytes) -> int:
        """Take one notification; how many alerts changed, once they are on the ledger."""
        alerts = from_webhook(body)
        self._own.alerts.inc(len(alerts))
        try:
            changed = await self.inbox.receive(alerts, now=now())
        except WorldError as error:
            self._troubles.note("ledger", str(error))
            raise
        return len(changed)

    async def take_change(self, body: bytes) -> Change:
        """Take one change; it is on the ledger when this returns."""
        change = from_change_webhook(body)
        await self._ledger.append([of_change(change, at=now())], durable=True)
        return change

    def take_traces(self, body: bytes, *, media_type: str, encoding: str) -> None:
        """Take one OTLP export request of spans; of busy streams a weighted share is kept."""
        request = trace_request(body, media_type=media_type, encoding=encoding)
        if (line := self.collection.spans(request, now_s=monotonic())) is not None:
            self._sources.traces.add(line, now=now())

    def take_logs(self, body: bytes, *, media_type: str, encoding: str) -> None:
        """Take one OTLP export request of log records; see `take_traces`."""
        self._take_records(log_request(body, media_type=media_type, encoding=encoding))

    def _take_records(self, request: Mapping[str, object]) -> None:
        if (line := self.collection.logs(request, now_s=monotonic())) is not None:
            self._sources.logs.add(line, now=now())

    async def troubles(self) -> dict[str, str]:
        """What does not answer as it should, in words; empty when ready."""
        with suppress(OpsmithError):
            await self._ledger.size()
            return self._troubles.told()
        return {**self._troubles.told(), "ledger": "the ledger does not answer"}

    async def metrics_text(self) -> bytes:
        """What opsmith counts about itself, in Prometheus' text format."""
        with suppress(OpsmithError):  # an unreadable ledger is a trouble, not a lost scrape
            size = await self._ledger.size()
            self._own.ledger_bytes.set(size.file_bytes + size.log_bytes)
        self._own.firing.set(len(self.inbox.firing))
        self._own.incidents.set(sum(not i.merged_into for i in self.watch.incidents()))
        if self._stream is not None:
            self._own.stream_messages.set(self._stream.messages)
            self._own.stream_skipped.set(self._stream.skipped)
        self._own.looks.set(self.looks.done)
        self._own.look_seconds.set(self.looks.seconds)
        for outcome, count in self.lessons.refits.items():
            self._own.refits.labels(outcome).set(count)
        self._own.failed_looks.set(self.watch.failed_looks)
        self.signs.count(self._own)
        self.inference.count(self._own.model)
        self._own.troubles.set(len(await self.troubles()))
        return generate_latest(self._own.registry)

    async def _place(self, episodes: Sequence[Episode]) -> None:
        """Hand changed alerts to the watch; what fires in a maintenance window stays here."""
        await self.watch.take(await self.quiet.loud(episodes))

    def _link(self, incident: Incident) -> str:
        base = self._settings.public_url
        return f"{base}/v1/incidents/{incident.id}/report.html" if base else ""

    async def _announce(self, incident: Incident) -> None:
        for listener in self.listeners:
            await listener(incident)

    def _hear(self, lack: str) -> None:
        self._own.partial.inc()
        say(lack)

    async def _tick(self) -> None:
        """Resolve what is calm, and take what fires and was never put anywhere."""
        if "ledger" in self._troubles.told():
            probe = Entry(kind="probe", subject="ledger", body="{}", at=now())
            await self._ledger.append([probe], durable=True)
            self._troubles.note("ledger", "")
        lost = self.watch.unended(self.inbox.episode)
        for some in _in_parts(self.inbox.firing, AT_ONCE):
            lost += self.watch.unseen(some)
            await asyncio.sleep(
                0
            )  # a storm's alerts are many, and more of them wait for an answer
        if lost:
            await self._place(lost)
        await self.watch.tick()
        await self.lessons.consider(self.watch.incidents())

    async def _look_at_the_untold(self) -> None:
        """Look again into what has a verdict and, its process having ended then, no report."""
        for incident in self.watch.incidents():
            if incident.firing and incident.verdict and not await self.looks.report(incident.id):
                self.watch.look_again(incident.id)

    async def _reconcile(self) -> None:
        """Make up for notifications that were missed."""
        if self._alerts is not None:
            active = from_api(await self._alerts.active())
            await self.inbox.reconcile(active, now=now())


def _in_parts(episodes: Sequence[Episode], size: int) -> Iterator[Sequence[Episode]]:
    """The same, so many at a time."""
    for first in range(0, len(episodes), size):
        yield episodes[first : first + size]


def _raw(name: str, labels: Mapping[str, str], /) -> Meaning:
    """No meaning yet: a captured bundle is described when it is read."""
    del name, labels
    return Meaning(
        entity=None,
        part_of=None,
        scale=1.0,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=MetricKind.GAUGE,
    )
