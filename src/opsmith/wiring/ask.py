"""The wiring of ask: which sources a question is answered from, the reader, the session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from opsmith.answer.catalogue import load as load_metrics
from opsmith.answer.narration import MAX_TOKENS, checked, prompt_of
from opsmith.answer.words import TARGETS, Speech, language_of
from opsmith.answer.words import names_in as names_of_slot
from opsmith.errors import BadInput, OpsmithError
from opsmith.flows.ask.naming import names_in, names_of
from opsmith.flows.ask.street import answer, changes
from opsmith.flows.ask.world import Changes, Streets, World
from opsmith.nouns.anomaly import Anomaly
from opsmith.nouns.answer import Answer, Language, Reply
from opsmith.nouns.diagnosis import Diagnosis, PathWeights
from opsmith.nouns.forecast import Outlook
from opsmith.nouns.log_line import LogQuery, LogsFound
from opsmith.nouns.recording import Recording
from opsmith.nouns.redaction import redact
from opsmith.nouns.series import Meaning, Series
from opsmith.nouns.session import Principal
from opsmith.nouns.task import Clarify, Reading, Refused, Task, Understood
from opsmith.nouns.topology import Topology
from opsmith.parse.catalogue import Catalogue
from opsmith.parse.dialogue import State
from opsmith.parse.loading import load_catalogue
from opsmith.parse.reader import SentenceReader
from opsmith.seams.ledger import Ledger
from opsmith.seams.llm import LanguageModel, Prompt
from opsmith.seams.metrics import Metrics
from opsmith.seams.repository import Repository
from opsmith.settings import Settings
from opsmith.wiring.intent import intents
from opsmith.wiring.last import asked_of
from opsmith.wiring.own_pages import OwnPages
from opsmith.wiring.parse import task_schemas

if TYPE_CHECKING:
    from opsmith.flows.change_control import ChangeControl

# How long the names that servers tell are believed.
NAMES_FOR = timedelta(minutes=5)
# Answers wait for no model longer than a person would.
NARRATE_WITHIN = timedelta(seconds=20)
# Owners that walk the topology; reading it costs a recording.
_WALKING = frozenset({"show_topology", "create_report", "query_resource"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSources:
    """Where answers come from.

    bundle: a recorded incident, instead of everything that is live. prometheus: a server's
    address, None for the one of the settings. inventory, schemas, repo, catalogue: files and
    folders that beat those of the settings. columns: how wide plots may be.
    narrate: whether the language model tells the answers again, marked.
    """

    bundle: Path | None = None
    prometheus: str | None = None
    inventory: Path | None = None
    schemas: Path | None = None
    repo: Path | None = None
    catalogue: Path | None = None
    zone: str | None = None
    columns: int = 80
    narrate: bool = False


@dataclass(slots=True, kw_only=True)
class Known:
    """What one asker has read once: a recording with its series, and the names that exist."""

    recording: Recording | None = None
    metrics: Metrics | None = None
    source: str = ""
    step_s: float = 15.0
    begin: datetime | None = None
    end: datetime | None = None
    names: Catalogue = field(default_factory=Catalogue)
    named_at: datetime | None = None


class Asker:
    """Answers sentences from one set of sources; enter it to open them.

    ledger: where incidents and alerts stand, None for none; it is not closed here.
    model: tells answers again in its own words, None for nobody.
    last: is asked about clauses that nobody else understands, None for nobody.
    control: gives the change control of the house that runs here; None to open one over the
        ledger with the first change that is asked for.
    """

    def __init__(
        self,
        settings: Settings,
        sources: AskSources,
        *,
        ledger: Ledger | None = None,
        model: LanguageModel | None = None,
        last: LanguageModel | None = None,
        control: Callable[[], ChangeControl] | None = None,
    ) -> None:
        self._model = model
        self._last = last
        self._given_control = control
        self._own_control: ChangeControl | None = None
        self._settings = settings
        self._sources = sources
        self._ledger = ledger
        self._known = Known(step_s=settings.scrape_interval_s)
        self._stack = AsyncExitStack()
        self._metrics_catalogue = load_metrics(sources.catalogue or settings.metric_catalogue)
        self._schemas = {one.intent: one for one in task_schemas(sources.schemas)}
        self.zone = sources.zone or settings.zone
        self.warnings: list[str] = []

    async def __aenter__(self) -> Self:
        """Read the recording or reach for the server."""
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of servers."""
        await self._stack.__aexit__(kind, error, traceback)

    async def read(self, text: str, state: State, *, tenant: str) -> tuple[Reading, State]:
        """How a sentence of a tenant is understood, against the names that exist now."""
        names = await self._names()
        reader = SentenceReader(
            names,
            self._schemas,
            zone=self.zone,
            intents=intents(self._settings, tenant),
            last=asked_of(self._last, asyncio.get_running_loop()) if self._last else None,
        )
        return await asyncio.to_thread(reader.read, text, state)

    async def answers(
        self, text: str, reading: Understood, *, by: Principal
    ) -> AsyncIterator[Answer]:
        """The answers to what was understood, one by one; changes are proposed by `by`."""
        world = await self._world(text, reading, by)
        if any(map(changes, reading.tasks)):
            world = replace(world, changes=await self._changes(by))
        async for one in answer(reading.tasks, world):
            yield one

    async def control(self) -> ChangeControl | None:
        """What takes plans to their outcome; None over a recording or without a ledger."""
        if self._known.recording is not None or self._ledger is None:
            return None
        if self._given_control is not None:
            return self._given_control()
        if self._own_control is None:
            from opsmith.wiring.act import control_over
            from opsmith.wiring.sources import open_metrics

            metrics = open_metrics(self._settings)
            if metrics is not None:
                self._stack.push_async_callback(metrics.aclose)
            self._own_control = await self._stack.enter_async_context(
                control_over(self._settings, ledger=self._ledger, metrics=metrics)
            )
        return self._own_control

    async def narrated(
        self, answers: tuple[Answer, ...], language: Language
    ) -> tuple[Answer, ...]:
        """The answers, the first with what a model makes of their facts where that stands."""
        if self._model is None or not answers:
            return answers
        text, facts = prompt_of(answers, language)
        prompt = Prompt(text=text, max_tokens=MAX_TOKENS)
        try:
            said = (await self._model.complete(prompt, within=NARRATE_WITHIN)).text
        except OpsmithError as error:
            self.warnings.append(str(error))
            return answers
        return (replace(answers[0], narration=checked(said, facts)), *answers[1:])

    async def warm(self, tenant: str) -> None:
        """Load the encoder ahead of the sentence that will need it."""
        with suppress(OpsmithError):  # the sentence will say so, if one comes
            await asyncio.to_thread(intents(self._settings, tenant).opinions, ["warm"])

    async def names(self) -> Sequence[str]:
        """Every name that may be asked about, for completion."""
        known = await self._names()
        return sorted({*known.services, *known.hosts, *known.aliases, *known.alerts})

    def _open(self) -> None:
        if self._sources.bundle is not None:
            self._open_bundle(self._sources.bundle)
            return
        from opsmith.wiring.sources import open_metrics

        url = self._sources.prometheus
        metrics = open_metrics(self._settings, url=url, describe=_untouched, hear=self._heard)
        if metrics is not None:
            self._stack.push_async_callback(metrics.aclose)
            self._known.metrics = metrics
            self._known.source = _shown_url(url or self._settings.prometheus_url or "metrics")

    def _heard(self, lack: str) -> None:
        self.warnings.append(lack)

    def _open_bundle(self, folder: Path) -> None:
        import numpy as np

        from opsmith.backends.metrics.recorded import RecordedMetrics
        from opsmith.ingest import bundle
        from opsmith.ingest.bundle_metrics import scraped

        recording, series = bundle.read(folder), scraped(folder)
        known = self._known
        known.recording, known.source = recording, f"bundle {recording.name}"
        known.metrics = RecordedMetrics(series) if series else None
        ends = [float(one.times_s[-1]) for one in series if one.times_s.size]
        if ends:
            known.end = datetime.fromtimestamp(max(ends), tz=UTC)
            begins = [float(one.times_s[0]) for one in series if one.times_s.size]
            known.begin = datetime.fromtimestamp(min(begins), tz=UTC)
        elif recording.window is not None:
            known.end = recording.window.end
        steps = [float(np.median(np.diff(one.times_s))) for one in series if one.times_s.size > 1]
        known.step_s = max(1.0, round(float(np.median(steps)))) if steps else 15.0

    async def _names(self) -> Catalogue:
        known, at = self._known, self._now()
        clock = datetime.now(UTC)
        if known.named_at is not None and clock - known.named_at < NAMES_FOR:
            return known.names
        names = Catalogue()
        if known.metrics is not None:
            try:
                names = await names_of(known.metrics, at=at)
            except OpsmithError as error:
                self.warnings.append(str(error))
        if known.recording is not None:
            alerts = {one.name for one in known.recording.alerts}
            names = names.joined(names_in(known.recording.topology, alerts))
        inventory = self._sources.inventory or self._settings.inventory_file
        if inventory is not None:
            names = names.joined(await asyncio.to_thread(load_catalogue, inventory))
        known.names, known.named_at = names, clock
        return names

    async def _world(self, text: str, reading: Understood, by: Principal) -> World:
        known = self._known
        speech = Speech(language=language_of(text), zone=reading.zone)
        walks = any(task.intent in _WALKING for task in reading.tasks)
        return World(
            now=self._now(),
            clock=datetime.now(UTC),
            begin=known.begin,
            speech=speech,
            source=known.source,
            catalogue=self._metrics_catalogue,
            streets=self._streets(),
            metrics=known.metrics,
            step_s=known.step_s,
            recording=known.recording,
            topology=await self._topology(reading) if walks else Topology(),
            ledger=OwnPages(self._ledger, by) if self._ledger else None,
            repository=self._repository(),
            columns=self._sources.columns,
            asked=redact(text),
        )

    async def _changes(self, by: Principal) -> Changes | None:
        control = await self.control()
        if control is None:
            return None
        from opsmith.wiring.ground import changes_by

        url = self._sources.prometheus
        watched = self._known.metrics is not None and url in (None, self._settings.prometheus_url)
        return changes_by(by, control=control, settings=self._settings, watched=watched)

    def _now(self) -> datetime:
        return self._known.end or datetime.now(UTC)

    async def _topology(self, reading: Understood) -> Topology:
        """Of the recording; else what was learned, and of the newest incident captured."""
        from opsmith.ingest import bundle
        from opsmith.wiring.topology import around

        if self._known.recording is not None:
            return self._known.recording.topology
        names = {
            name
            for task in reading.tasks
            for slot in TARGETS
            for name in names_of_slot(task.slots.get(slot))
        }
        learned, lacks = await around(self._settings, sorted(names))
        self.warnings.extend(lacks)
        kept = sorted(
            (self._settings.data_dir / "incidents").glob("*/bundle"),
            key=lambda folder: folder.stat().st_mtime,
        )
        if not kept:
            return learned
        last = (await asyncio.to_thread(bundle.read, kept[-1])).topology
        edges = tuple(sorted({*learned.edges, *last.edges}))
        return Topology(entities=last.entities, edges=edges)

    def _repository(self) -> Repository | None:
        from opsmith.backends.repository.git import GitRepository

        folder = self._sources.repo or self._settings.config_repo
        if folder is None:
            folder = Path.cwd()
            if not (folder / ".git").exists():
                return None
        return GitRepository(folder)

    def _streets(self) -> Streets:
        from opsmith.forecast import drawing

        return Streets(
            foresee=_foresee,
            drawn=lambda outlook, columns: drawing.text(outlook, columns=columns),
            detect=_detect,
            diagnose=self._diagnose,
            gather=self._gather,
            search=None if self._known.recording else self._search,
        )

    async def _search(self, query: LogQuery) -> LogsFound:
        from opsmith.wiring.logs import search_logs

        return await search_logs(self._settings, query)

    def _diagnose(self, recording: Recording) -> Diagnosis:
        from opsmith.localise.diagnose import localise
        from opsmith.wiring.weights import weights

        fitted = weights(self._settings)
        return localise(
            recording,
            ranker=fitted.ranker,
            base_rates=fitted.base_rates,
            path_weights=PathWeights.BOTTLENECK,
        )

    async def _gather(self, folder: Path) -> tuple[str, ...]:
        from opsmith.flows.capture import Buffer, Sources, capture

        return await capture(
            folder,
            sources=Sources(
                metrics=self._known.metrics,
                traces=Buffer(budget_bytes=0),
                logs=Buffer(budget_bytes=0),
                step=timedelta(seconds=self._known.step_s),
            ),
            episodes=(),
            changes=(),
            now=self._now(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a reply must be. changes: only what changes something; task: instead of reading."""

    changes: bool = False
    task: Task | None = None


ANYTHING = Wanted()


async def reply_to(
    asker: Asker, text: str, state: State, *, by: Principal, wanted: Wanted = ANYTHING
) -> tuple[Reply, State]:
    """The whole reply to one sentence of `by`, and the state for the next.

    Raises `BadInput` when a change is wanted and the sentence asks for none.
    """
    if wanted.task is not None:
        reading: Reading = Understood(tasks=(wanted.task,), zone=asker.zone)
        after = state.after(reading)
    else:
        reading, after = await asker.read(text, state, tenant=by.tenant)
    reply = Reply(language=language_of(text), reading=reading, said=said_of(reading))
    if isinstance(reading, Understood):
        if wanted.changes and not any(map(changes, reading.tasks)):
            raise BadInput("It asks for no change; `opsmith ask` answers it.")
        answers = tuple([one async for one in asker.answers(text, reading, by=by)])
        reply = replace(reply, answers=await asker.narrated(answers, reply.language))
    return reply, after.heard(reply.said)


def said_of(reading: Reading) -> str:
    """What is said to the whole of a sentence: a question, the reason of a refusal, or nothing."""
    if isinstance(reading, Clarify):
        return reading.question
    return reading.reason if isinstance(reading, Refused) else ""


async def _foresee(series: Series, /, *, horizon: timedelta, threshold: float | None) -> Outlook:
    from opsmith.flows.predict import Question, look_ahead

    question = Question(horizon=horizon, threshold=threshold)
    return (await look_ahead([series], question))[0]


def _detect(series: Sequence[Series]) -> tuple[Anomaly, ...]:
    from opsmith.detect.fleet import Fleet
    from opsmith.flows.detect_stream import Watch, replay

    return tuple(replay(Watch(fleet=Fleet()), series))


def _untouched(name: str, labels: object, /) -> Meaning:
    """No meaning and no scale: the catalogue says what its figures are."""
    from opsmith.nouns.series import Aspect, MetricKind, Unit

    del name, labels
    return Meaning(
        entity=None,
        part_of=None,
        scale=1.0,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=MetricKind.GAUGE,
    )


def _shown_url(url: str) -> str:
    """An address without the credentials in it."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}".rstrip("/")
