"""Looks: one incident investigated with what is known now, its bundle and report kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from opsmith.audit.states import of_look
from opsmith.errors import OpsmithError
from opsmith.flows.capture import BEFORE, LONGEST, Sources, capture
from opsmith.flows.investigate import Investigation, investigate
from opsmith.flows.recent_changes import RecentChanges
from opsmith.flows.remediate import acted_at
from opsmith.flows.remember import Memory
from opsmith.localise.fitted import Fitted
from opsmith.localise.graph_nodes import Told
from opsmith.nouns.diagnosis import Diagnosis, PathWeights
from opsmith.nouns.episode import Episode
from opsmith.nouns.incident import Blame, Incident, Verdict
from opsmith.nouns.report import Report
from opsmith.nouns.topology import Topology
from opsmith.seams.ledger import Ledger
from opsmith.settings import Settings
from opsmith.wiring.memory import give_back
from opsmith.wiring.replay import look_of
from opsmith.wiring.troubles import Troubles
from opsmith.wiring.weights import weights

# How many causes a report shows.
TOP = 5


class Looks:
    """Investigates incidents; call it with one.

    episode: the newest state of an alert by its fingerprint. know: is told each topology found.
    memory: where what was found is kept beyond the incident.
    like: the confirmed incidents most like one.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        sources: Sources,
        episode: Callable[[str], Episode | None],
        troubles: Troubles,
        memory: Memory,
    ) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "incidents"
        self._ledger = ledger
        self._sources = sources
        self._episode = episode
        self._troubles = troubles
        self._memory = memory
        self._changes = RecentChanges(ledger, keep_for=LONGEST + BEFORE)
        self._remembering: set[asyncio.Task[None]] = set()
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self.know: Callable[[Topology], None] = lambda _: None
        self.like: Callable[[Incident], tuple[Incident, ...]] = lambda _: ()
        self.done = 0
        self.seconds = 0.0

    async def report(self, name: str) -> Path | None:
        """Where the report of an incident lies, once the last look's is written.

        name: the id of an incident that is known.
        """
        await self._kept(name)
        path = self._folder / name / "report.html"
        return path if path.exists() else None

    async def close(self) -> None:
        """Wait for what is still being written to disk and to the graph."""
        writing = (*self._keeping.values(), *self._remembering)
        await asyncio.gather(*writing, return_exceptions=True)

    async def __call__(self, incident: Incident) -> Verdict:
        """Gather what is known, keep it as a bundle, investigate it; the report comes behind."""
        began = now()
        await self._kept(incident.id)  # the last look's digests are of the bundle that lies there
        folder = self._folder / incident.id
        fitted = weights(self._settings)
        until = await acted_at(self._ledger, incident.id)
        found = await self._investigated(folder, incident, fitted=fitted, at=began, until=until)
        self.know(found.recording.topology)
        keeping = self._keep(folder, found, fitted=fitted, at=began)
        self._keeping[incident.id] = asyncio.create_task(keeping)
        self._remember_aside(incident, found)
        return await self._said(incident, found, began)

    async def weigh(self, incident: Incident) -> Verdict:
        """What a look would find, with nothing kept of it."""
        began = now()
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".weighed-", dir=self._folder) as name:
            found = await self._investigated(
                Path(name), incident, fitted=weights(self._settings), at=began, until=None
            )
        return await self._said(incident, found, began)

    async def _investigated(
        self,
        folder: Path,
        incident: Incident,
        *,
        fitted: Fitted,
        at: datetime,
        until: datetime | None,
    ) -> Investigation:
        members = (self._episode(member.fingerprint) for member in incident.members)
        lost = await capture(
            folder / "bundle",
            sources=self._sources,
            episodes=[episode for episode in members if episode is not None],
            changes=await self._changes.at(at),
            now=at,
            until=until,
        )
        self._troubles.note("prometheus", lost[0] if lost else "")
        return await asyncio.to_thread(
            investigate,
            folder / "bundle",
            fitted=fitted,
            top=TOP,
            path_weights=PathWeights.BOTTLENECK,
            seen_before=partial(self._seen_before, incident),
        )

    async def _said(self, incident: Incident, found: Investigation, began: datetime) -> Verdict:
        """The verdict of what was found; counted, and what it took given back."""
        self.done += 1
        self.seconds += (now() - began).total_seconds()
        await asyncio.to_thread(give_back)
        return verdict(
            found.diagnosis, rejected=incident.rejected, sentence=found.sentence, at=now()
        )

    async def _kept(self, name: str) -> None:
        """Wait until the report of an incident's last look is written."""
        if (task := self._keeping.get(name)) is not None:
            await asyncio.shield(task)

    async def _keep(
        self, folder: Path, found: Investigation, *, fitted: Fitted, at: datetime
    ) -> None:
        """Write the report and what it was made from; the verdict waits for neither."""
        try:
            await asyncio.to_thread(_keep_report, folder, found.report)
            look = await asyncio.to_thread(look_of, folder, found, fitted=fitted, top=TOP, at=at)
            await self._ledger.append([of_look(look)], durable=False)
        except (OpsmithError, OSError) as error:
            self._troubles.note("reports", str(error))
        else:
            self._troubles.note("reports", "")
        finally:
            self._keeping.pop(folder.name, None)

    def _remember_aside(self, incident: Incident, found: Investigation) -> None:
        task = asyncio.create_task(self._remember(incident, found))
        self._remembering.add(task)
        task.add_done_callback(self._remembering.discard)

    async def _remember(self, incident: Incident, found: Investigation) -> None:
        """Write what was found to the graph; the verdict neither waits for that nor needs it."""
        told = Told(
            name=incident.id,
            title=incident.title,
            state=str(incident.state),
            sentence=found.sentence,
            seen=now(),
        )
        try:
            await self._memory.keep(found.scene, found.diagnosis, told)
        except OpsmithError as error:
            self._troubles.note("graph", str(error))
        else:
            self._troubles.note("graph", "")
        # The graph's database takes 100 MB to write a hundred nodes.
        await asyncio.to_thread(give_back)

    def _seen_before(self, incident: Incident, diagnosis: Diagnosis) -> tuple[str, ...]:
        """What people will want to know of earlier incidents like this one."""
        found = verdict(diagnosis, rejected=incident.rejected, sentence="", at=incident.updated_at)
        after = f"Incident {incident.after} stood just before; this one began apart from it."
        return ((after,) if incident.after else ()) + tuple(
            f"{one.opened_at:%Y-%m-%d %H:%M} UTC, {one.title}: it was"
            f" {one.confirmed.entity} ({one.confirmed.kind}), incident {one.id}"
            for one in self.like(replace(incident, verdict=found))
            if one.confirmed is not None
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
