"""diagnose_incident, explain_alert: from a recording, the ledger's incidents, or fresh metrics."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from opsmith.answer.expression import quoted
from opsmith.answer.words import TARGETS, names_in, quote, who
from opsmith.audit.states import ALERT, INCIDENT, to_episode, to_incident
from opsmith.errors import BadInput
from opsmith.flows.ask.world import World
from opsmith.ingest import bundle
from opsmith.nouns.answer import Answer, AnswerStatus, Evidence, Figure, Finding
from opsmith.nouns.diagnosis import Diagnosis, Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import EpisodeState
from opsmith.nouns.incident import ENDED, Incident, Verdict
from opsmith.nouns.signals import Alert
from opsmith.nouns.task import Task
from opsmith.seams.ledger import Readable, Wanted

MOST_CAUSES = 3
MOST_ROWS = 20
SUREST = 0.99
# A cause that is hardly possible is not worth a line.
LEAST_SURE = 0.01
MOST_STATES = 10_000
# How far back a fresh look goes, as for an incident that starts now.
FRESH_MINUTES = 45


async def diagnose_incident(task: Task, world: World) -> Answer:
    """The likeliest cause of what is wrong with a target."""
    if world.recording is not None:
        diagnosis = await asyncio.to_thread(world.streets.diagnose, world.recording)
        evidence = Evidence(source=world.source, query="opsmith investigate", count=1)
        return _diagnosed(task, world, diagnosis, (), (evidence,))
    known = await incidents_of(world.ledger)
    named = _named(task)
    about = [one for one in known if _is_about(one, named)]
    if about:
        return _from_incident(task, world, about[0])
    if world.metrics is None:
        return _unknown(task, world.speech.say("diagnosis.nowhere"))
    return await _fresh(task, world)


async def _fresh(task: Task, world: World) -> Answer:
    """Gather what is measured now and look into it, as for an incident that starts now."""
    with tempfile.TemporaryDirectory(prefix="opsmith-ask-") as folder:
        place = Path(folder) / "now"
        lost = await world.streets.gather(place)
        try:
            recording = await asyncio.to_thread(bundle.read, place)
        except BadInput:
            return _unknown(task, *lost, world.speech.say("diagnosis.nowhere"))
    diagnosis = await asyncio.to_thread(world.streets.diagnose, recording)
    first = world.speech.say("diagnosis.fresh", who=who(task, world.speech), minutes=FRESH_MINUTES)
    evidence = Evidence(
        source=world.source, query="metrics of all entities", count=len(recording.series)
    )
    return _diagnosed(task, world, diagnosis, (first, *lost), (evidence,))


def _diagnosed(
    task: Task,
    world: World,
    found: Diagnosis,
    first: tuple[str, ...],
    evidence: tuple[Evidence, ...],
) -> Answer:
    said = [*first, _verdict(world, found)]
    named = _named(task)
    if found.path is not None and len(found.path.entities) > 1:
        path = " → ".join(quote(str(entity)) for entity in found.path.entities)
        said.append(world.speech.say("diagnosis.path", path=path))
        if named and not any(entity.name in named for entity in found.path.entities):
            said.append(world.speech.say("diagnosis.off_path", who=who(task, world.speech)))
    claims = [quote(one.claim) for cause in found.causes[:1] for one in cause.evidence[:4]]
    rows = [
        world.speech.say(
            "diagnosis.next",
            n=n,
            who=quote(str(cause.entity)),
            kind=_kind(world, cause.kind),
            sure=_percent(cause.confidence),
        )
        for n, cause in enumerate(found.causes[:MOST_CAUSES], start=1)
        if cause.confidence >= LEAST_SURE or n == 1
    ]
    healthy = found.status is Status.HEALTHY
    if healthy:
        rows, claims = [], []
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=tuple(said),
        finding=Finding.HEALTHY if healthy else Finding.UNHEALTHY,
        detail="\n".join([*rows, *(f"   - {claim}" for claim in claims)]),
        figures=tuple(
            Figure(name=f"confidence in {cause.entity}", value=cause.confidence, unit="ratio")
            for cause in found.causes[:MOST_CAUSES]
        ),
        evidence=evidence,
    )


def _verdict(world: World, found: Diagnosis) -> str:
    speech = world.speech
    if found.status is Status.HEALTHY:
        return speech.say("diagnosis.healthy")
    if not found.causes:
        return speech.say("diagnosis.nobody")
    cause = found.causes[0]
    key = "inconclusive"
    if found.status is Status.DIAGNOSED:
        key = "cause" if found.onset else "untimed"
    return speech.say(
        f"diagnosis.{key}",
        who=quote(str(cause.entity)),
        sure=_percent(cause.confidence),
        kind=_kind(world, cause.kind),
        at=speech.time(found.onset, day=True) if found.onset else "",
    )


def _from_incident(task: Task, world: World, incident: Incident) -> Answer:
    speech, verdict = world.speech, incident.verdict
    said = [
        speech.say(
            "diagnosis.incident",
            id=incident.id,
            state=incident.state,
            at=speech.time(incident.opened_at, day=True),
            title=quote(incident.title),
        )
    ]
    said += _verdict_said(world, verdict)
    sure = verdict.confidence if verdict and verdict.blame else None
    evidence = Evidence(
        source="ledger",
        query=f"incident {incident.id}",
        start=incident.opened_at,
        end=incident.updated_at,
        count=incident.size,
        names=tuple(quote(member.name) for member in incident.members[:5]),
    )
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=tuple(said),
        finding=Finding.HEALTHY if incident.state in ENDED else Finding.UNHEALTHY,
        figures=() if sure is None else (Figure(name="confidence", value=sure, unit="ratio"),),
        evidence=(evidence,),
    )


def _verdict_said(world: World, verdict: Verdict | None) -> list[str]:
    """What the last look found, in words."""
    speech = world.speech
    if verdict is None:
        return [speech.say("diagnosis.no_verdict")]
    if verdict.blame is None:
        return [quote(verdict.sentence)]
    said = speech.say(
        "diagnosis.cause" if verdict.onset else "diagnosis.untimed",
        who=quote(str(verdict.blame.entity)),
        sure=_percent(verdict.confidence),
        kind=_kind(world, verdict.blame.kind),
        at=_time(world, verdict.onset),
    )
    path = " → ".join(quote(str(entity)) for entity in verdict.path)
    return [said, speech.say("diagnosis.path", path=path)] if path else [said]


async def explain_alert(task: Task, world: World) -> Answer:
    """What an alert says, since when, and what was found behind it."""
    wanted = str(task.slots["alert"]).lower()
    named = _named(task)
    known = await alerts_known(world)
    fits = [
        one
        for one in known
        if wanted
        in (one.name.lower(), one.fingerprint.lower(), *(v.lower() for _, v in one.labels))
        and (not named or one.entity.name in named)
    ]
    if not fits:
        return await _from_server(task, world) or _no_alert(task, world, known)
    newest = max(fits, key=lambda one: (one.starts_at is not None, one.starts_at or world.now))
    said = _alert_said(world, newest)
    if world.recording is not None:
        diagnosis = await asyncio.to_thread(world.streets.diagnose, world.recording)
        said.append(_verdict(world, diagnosis))
    else:
        for incident in await incidents_of(world.ledger):
            if any(one.fingerprint == newest.fingerprint for one in incident.members):
                said.extend(_from_incident(task, world, incident).said)
                break
    evidence = Evidence(
        source=world.source if world.recording else "ledger",
        query=f"alert {quote(newest.name)}",
        count=len(fits),
        names=tuple(f"{quote(k)}={quote(v)}" for k, v in newest.labels[:8]),
    )
    return Answer(task=task, status=AnswerStatus.ANSWERED, said=tuple(said), evidence=(evidence,))


async def _from_server(task: Task, world: World) -> Answer | None:
    """An alert that the metrics server evaluates itself: its labels, its state, its rule."""
    if world.metrics is None or world.recording is not None:
        return None
    name, speech = str(task.slots["alert"]), world.speech
    query = f'ALERTS{{alertname="{quoted(name)}"}}'
    found = await world.metrics.query(query, at=world.now)
    rules = [rule for rule in await world.metrics.rules() if rule.name == name]
    if not found and not rules:
        return None
    states = Counter(dict(one.labels).get("alertstate", "?") for one in found)
    said = [
        speech.say("alert.server", name=quote(name), count=count, state=quote(state))
        for state, count in states.items()
    ] or [speech.say("alert.calm", name=quote(name))]
    said += [speech.say("alert.watches", metric=quote(rule.promql)) for rule in rules[:3]]
    rows = [
        ", ".join(f"{quote(k)}={quote(v)}" for k, v in one.labels if k != "alertname")
        for one in found[:MOST_ROWS]
    ]
    evidence = Evidence(source=world.source, query=query, end=world.now, count=len(found))
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=tuple(said),
        detail="\n".join(rows),
        evidence=(evidence,),
    )


def _alert_said(world: World, alert: Alert) -> list[str]:
    speech = world.speech
    fires = alert.ends_at is None and (world.recording is None)
    key = "fires" if fires else "fired" if alert.ends_at is None else "resolved"
    said = [
        speech.say(
            f"alert.{key}",
            name=quote(alert.name),
            who=quote(str(alert.entity)),
            at=_time(world, alert.starts_at),
            end=_time(world, alert.ends_at),
            severity=quote(alert.severity or "?"),
        )
    ]
    annotations = dict(alert.annotations)
    text = annotations.get("summary") or annotations.get("description") or ""
    if text:
        said.append(speech.say("alert.says", text=quote(text)))
    if alert.metric:
        said.append(speech.say("alert.watches", metric=quote(alert.metric)))
    return said


def _no_alert(task: Task, world: World, known: Sequence[Alert]) -> Answer:
    speech = world.speech
    said = [speech.say("alert.unknown", name=quote(str(task.slots["alert"])))]
    names = sorted({one.name for one in known})
    said.append(
        speech.say("alert.others", names=", ".join(map(quote, names[:20])))
        if names
        else speech.say("alert.nothing")
    )
    return _unknown(task, *said)


async def alerts_known(world: World) -> tuple[Alert, ...]:
    """Every alert of the recording, or the newest state of each on the ledger."""
    if world.recording is not None:
        return world.recording.alerts
    if world.ledger is None:
        return ()
    records = await world.ledger.read(Wanted(kind=ALERT, latest=True, limit=MOST_STATES))
    return tuple(to_episode(record).alert for record in records)


async def firing_names(world: World, names: Sequence[str]) -> tuple[str, ...]:
    """The alerts about one of these entities that fire now."""
    if world.recording is not None:
        found = [one.name for one in world.recording.alerts if one.entity.name in names]
        return tuple(dict.fromkeys(found))
    if world.ledger is None:
        return ()
    records = await world.ledger.read(Wanted(kind=ALERT, latest=True, limit=MOST_STATES))
    episodes = [to_episode(record) for record in records]
    return tuple(
        dict.fromkeys(
            one.alert.name
            for one in episodes
            if one.state is EpisodeState.FIRING and one.alert.entity.name in names
        )
    )


async def incidents_of(ledger: Readable | None) -> tuple[Incident, ...]:
    """The incidents of a ledger that stand for themselves: open ones first, newest first."""
    if ledger is None:
        return ()
    records = await ledger.read(Wanted(kind=INCIDENT, latest=True, limit=MOST_STATES))
    found = [one for one in map(to_incident, records) if not one.merged_into]
    return tuple(
        sorted(found, key=lambda one: (one.state not in ENDED, one.updated_at), reverse=True)
    )


def _named(task: Task) -> frozenset[str]:
    return frozenset(name for slot in TARGETS for name in names_in(task.slots.get(slot)))


def _is_about(incident: Incident, names: frozenset[str]) -> bool:
    entities: set[Entity] = set(incident.entities)
    if incident.verdict is not None:
        entities.update(incident.verdict.path)
        if incident.verdict.blame is not None:
            entities.add(incident.verdict.blame.entity)
    return not names or any(entity.name in names for entity in entities)


def _kind(world: World, kind: str) -> str:
    return world.speech.phrase("kinds", kind)


def _percent(share: float) -> str:
    """A chance; nothing is ever quite sure."""
    return "> 99 %" if share > SUREST else f"{share * 100:.0f} %"


def _time(world: World, at: datetime | None) -> str:
    return world.speech.time(at, day=True) if at else "?"


def _unknown(task: Task, *said: str) -> Answer:
    return Answer(task=task, status=AnswerStatus.UNKNOWN, said=said)
