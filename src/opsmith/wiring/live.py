"""The live house: one App holds the ledger, the inbox, the watch and their sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from opsmith.audit.states import CHANGE, of_change, to_change
from opsmith.backends.alerts.alertmanager import AlertmanagerAlerts
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.errors import BadInput, OpsmithError
from opsmith.flows.announce import Announcer
from opsmith.flows.capture import Buffer, Sources, capture
from opsmith.flows.investigate import investigate
from opsmith.flows.receive import Inbox
from opsmith.flows.watch import Watch as Watch  # noqa: PLC0414 - faces know it by this name
from opsmith.ingest.alertmanager import from_api, from_webhook
from opsmith.ingest.changes import from_webhook as from_change_webhook
from opsmith.ingest.otlp_wire import log_line, trace_line
from opsmith.nouns.diagnosis import Diagnosis, PathWeights
from opsmith.nouns.incident import Blame, Incident, Verdict
from opsmith.nouns.report import Report
from opsmith.nouns.series import Aspect, Meaning, MetricKind, Unit
from opsmith.nouns.signals import Change
from opsmith.seams.ledger import Wanted
from opsmith.settings import Settings
from opsmith.wiring.notices import places
from opsmith.wiring.sources import open_metrics, say
from opsmith.wiring.weights import weights

# Share of the 250 MB that an idle watcher may take; traces tell most.
TRACE_BYTES = 48 * 1024 * 1024
LOG_BYTES = 24 * 1024 * 1024
TICK_S = 10.0
# How many causes a report shows.
TOP = 5
# Changes read for one look; older ones are outside any window long before.
MOST_CHANGES = 100_000


class App:
    """Everything that runs under `opsmith up`; enter it to start, leave it to stop.

    listeners: are told each incident after each change.
    """

    def __init__(self, settings: Settings, *, version: str) -> None:
        self.version = version
        self.listeners: list[Callable[[Incident], Awaitable[None]]] = []
        self._settings = settings
        self._folder = settings.data_dir / "incidents"
        self._ledger = SqliteLedger(settings.data_dir / "ledger.db")
        self._metrics = open_metrics(settings, describe=_raw, hear=self._hear)
        self._alerts = (
            AlertmanagerAlerts(settings.alertmanager_url) if settings.alertmanager_url else None
        )
        self._sources = Sources(
            metrics=self._metrics,
            traces=Buffer(budget_bytes=TRACE_BYTES),
            logs=Buffer(budget_bytes=LOG_BYTES),
            step=timedelta(seconds=settings.scrape_interval_s),
        )
        self.watch = Watch(self._ledger, look=self._look, announce=self._announce, clock=now)
        self.inbox = Inbox(self._ledger, tell=self.watch.take)
        self._announcer = Announcer(
            places(settings.notify_file),
            ledger=self._ledger,
            link=self._link,
            clock=now,
            sleep=asyncio.sleep,
            rng=SystemRandom(),
        )
        self.listeners.append(self._announcer.tell)
        self._troubles: dict[str, str] = {}
        self._counts = Counts()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Read back what is known and start to tick."""
        await self.watch.load()
        await self.inbox.load()
        await self._announcer.load()
        ticking = asyncio.create_task(self._tick_forever())
        self._stack.push_async_callback(self._stop, ticking)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop ticking, let go of servers and files."""
        await self._stack.__aexit__(kind, error, traceback)

    async def receive(self, body: bytes) -> int:
        """Take one notification; how many alerts changed, once they are on the ledger."""
        alerts = from_webhook(body)
        self._counts.alerts.inc(len(alerts))
        return len(await self.inbox.receive(alerts, now=now()))

    async def take_change(self, body: bytes) -> Change:
        """Take one change; it is on the ledger when this returns."""
        change = from_change_webhook(body)
        await self._ledger.append([of_change(change, at=now())], durable=True)
        return change

    def take_traces(self, body: bytes, *, media_type: str, encoding: str) -> None:
        """Take one OTLP export request of spans."""
        line = trace_line(body, media_type=media_type, encoding=encoding)
        self._sources.traces.add(line, now=now())

    def take_logs(self, body: bytes, *, media_type: str, encoding: str) -> None:
        """Take one OTLP export request of log records."""
        line = log_line(body, media_type=media_type, encoding=encoding)
        self._sources.logs.add(line, now=now())

    def report(self, name: str) -> Path | None:
        """Where the report of an incident lies. name: the id of an incident that is known."""
        path = self._folder / name / "report.html"
        return path if path.exists() else None

    async def troubles(self) -> dict[str, str]:
        """What does not answer as it should, in words; empty when ready."""
        with suppress(OpsmithError):
            await self._ledger.size()
            return dict(self._troubles)
        return {**self._troubles, "ledger": "the ledger does not answer"}

    async def metrics_text(self) -> bytes:
        """What opsmith counts about itself, in Prometheus' text format."""
        size = await self._ledger.size()
        self._counts.ledger_bytes.set(size.file_bytes + size.log_bytes)
        self._counts.firing.set(len(self.inbox.firing))
        self._counts.incidents.set(sum(not i.merged_into for i in self.watch.incidents()))
        self._counts.failed_looks.set(self.watch.failed_looks)
        self._counts.troubles.set(len(self._troubles))
        return generate_latest(self._counts.registry)

    def _link(self, incident: Incident) -> str:
        base = self._settings.public_url
        return f"{base}/v1/incidents/{incident.id}/report.html" if base else ""

    async def _announce(self, incident: Incident) -> None:
        for listener in self.listeners:
            await listener(incident)

    async def _look(self, incident: Incident) -> Verdict:
        """Gather what is known, keep it as a bundle, investigate it, keep the report."""
        began = now()
        folder = self._folder / incident.id
        members = (self.inbox.episode(member.fingerprint) for member in incident.members)
        lost = await capture(
            folder / "bundle",
            sources=self._sources,
            episodes=[episode for episode in members if episode is not None],
            changes=await self._changes(),
            now=began,
        )
        self._note("prometheus", lost[0] if lost else "")
        found = await asyncio.to_thread(
            investigate,
            folder / "bundle",
            fitted=weights(self._settings),
            top=TOP,
            path_weights=PathWeights.BOTTLENECK,
        )
        self.watch.know(found.recording.topology)
        await asyncio.to_thread(_keep_report, folder, found.report)
        self._counts.look_seconds.inc((now() - began).total_seconds())
        self._counts.looks.inc()
        return verdict(
            found.diagnosis, rejected=incident.rejected, sentence=found.sentence, at=now()
        )

    async def _changes(self) -> tuple[Change, ...]:
        """Every change on the ledger that may still matter."""
        newest = await self._ledger.read(Wanted(kind=CHANGE, limit=MOST_CHANGES))
        return tuple(map(to_change, newest))

    async def _tick_forever(self) -> None:
        while True:
            await self._tick()
            await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        """Resolve what is calm and make up for what was missed; failures are said, not raised."""
        try:
            await self.watch.tick()
            if self._alerts is not None:
                active = from_api(await self._alerts.active())
                await self.inbox.reconcile(active, now=now())
        except OpsmithError as error:
            self._note("alertmanager", str(error))
        else:
            self._note("alertmanager", "")

    def _hear(self, lack: str) -> None:
        self._counts.partial.inc()
        say(lack)

    def _note(self, who: str, trouble: str) -> None:
        if trouble:
            self._troubles[who] = trouble
        else:
            self._troubles.pop(who, None)

    async def _stop(self, ticking: asyncio.Task[None]) -> None:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
        await self.watch.close()
        await self._announcer.close()
        if self._metrics is not None:
            await self._metrics.aclose()
        if self._alerts is not None:
            await self._alerts.aclose()
        await asyncio.to_thread(self._ledger.close)


class Counts:
    """opsmith's own metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.alerts = Counter(
            "opsmith_alerts_received", "Alerts in notifications.", registry=self.registry
        )
        self.looks = Counter("opsmith_looks", "Investigations done.", registry=self.registry)
        self.look_seconds = Counter(
            "opsmith_look_seconds", "Time spent investigating.", registry=self.registry
        )
        self.partial = Counter(
            "opsmith_partial_answers",
            "Answers that a server itself called incomplete.",
            registry=self.registry,
        )
        self.failed_looks = Gauge(
            "opsmith_failed_looks", "Investigations that failed.", registry=self.registry
        )
        self.firing = Gauge("opsmith_firing_alerts", "Alerts firing.", registry=self.registry)
        self.incidents = Gauge("opsmith_incidents", "Incidents known.", registry=self.registry)
        self.troubles = Gauge(
            "opsmith_troubles", "Sources that do not answer.", registry=self.registry
        )
        self.ledger_bytes = Gauge(
            "opsmith_ledger_bytes", "Size of the ledger on disk.", registry=self.registry
        )


def now() -> datetime:
    """The clock of the live house, UTC-aware."""
    return datetime.now(UTC)


def verdict(
    diagnosis: Diagnosis, *, rejected: tuple[Blame, ...], sentence: str, at: datetime
) -> Verdict:
    """The diagnosis in short; a cause that a person rejected is not named again."""
    blames = [(Blame(entity=c.entity, kind=c.kind), c.confidence) for c in diagnosis.causes]
    standing = [pair for pair in blames if pair[0] not in rejected]
    blame, confidence = standing[0] if standing else (None, 0.0)
    if rejected and blames and blames[0][0] in rejected and blame is not None:
        sentence = f"{blame.entity} is the next likeliest ({blame.kind}); the first was rejected."
    return Verdict(
        status=diagnosis.status,
        blame=blame,
        confidence=confidence,
        path=diagnosis.path.entities if diagnosis.path else (),
        sentence=sentence,
        found_at=at,
        onset=diagnosis.onset,
    )


def _keep_report(folder: Path, report: Report) -> None:
    for name, text in (
        ("report.html", report.html),
        ("report.md", report.markdown),
        ("answer.json", report.json),
    ):
        part = folder / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(folder / name)


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


@asynccontextmanager
async def standing_watch(settings: Settings) -> AsyncIterator[Watch]:
    """The incidents of the ledger for one word about them; nothing is looked into."""

    async def quiet(incident: Incident) -> None:
        del incident

    async def no_look(incident: Incident) -> Verdict:
        raise BadInput(f"Incident {incident.id} is looked into by `opsmith up` alone.")

    ledger = SqliteLedger(settings.data_dir / "ledger.db")
    watch = Watch(ledger, look=no_look, announce=quiet, clock=now, looks_after_s=())
    try:
        await watch.load()
        yield watch
    finally:
        await watch.close()
        await asyncio.to_thread(ledger.close)
