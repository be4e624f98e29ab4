"""Timeline: onset, changes, evidence and alerts in the order in which they happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from opsmith.explain.story import Mark, Moment
from opsmith.explain.words import (
    clean,
    clock,
    counted,
    figure,
    joined,
    name,
    offset,
    sentence,
    when,
)
from opsmith.nouns.diagnosis import Cause, Diagnosis
from opsmith.nouns.recording import Recording
from opsmith.nouns.signals import Alert

# What a screen holds; the rest is counted, not shown.
MOST_MOMENTS = 24
# So many alerts of one entity are named in one moment.
_MOST_SAID = 3
_MOST_EVIDENCE = 8
# Below this a fact is no larger than noise gets now and then (`Findings.strength`).
_NOISE = 1.0
# At one and the same second a cause comes before what it causes.
_ORDER = {Mark.CHANGE: 0, Mark.ONSET: 1, Mark.EVIDENCE: 2, Mark.ALERT: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    at: datetime
    mark: Mark
    what: str
    entity: str


def timeline(
    diagnosis: Diagnosis, recording: Recording, causes: tuple[Cause, ...]
) -> tuple[tuple[Moment, ...], str]:
    """The moments in order, and a sentence on what was left out (empty when nothing was)."""
    events = [
        *_onset(diagnosis),
        *_changes(recording),
        *_evidence(causes),
        *_alerts(recording.alerts),
    ]
    events.sort(key=lambda event: (event.at, _ORDER[event.mark], event.entity, event.what))
    shown = _nearest(events, diagnosis.onset)
    left = len(events) - len(shown)
    untimed = sum(alert.starts_at is None for alert in recording.alerts)
    notes = [f"Not shown: {left} moments further from the onset."] * bool(left)
    notes += [f"Not shown for want of a time: {counted(untimed, 'alert')}."] * bool(untimed)
    return tuple(_moment(event, diagnosis.onset) for event in shown), " ".join(notes)


def _onset(diagnosis: Diagnosis) -> Iterator[_Event]:
    if diagnosis.onset is not None:
        first = f" of {name(diagnosis.causes[0].entity)}" if diagnosis.causes else ""
        yield _Event(
            at=diagnosis.onset, mark=Mark.ONSET, what=f"The trouble{first} begins.", entity=""
        )


def _changes(recording: Recording) -> Iterator[_Event]:
    for change in recording.changes:
        version = f" (version {clean(change.version, longest=60)})" if change.version else ""
        what = f"{change.kind}{version}: {clean(change.summary) or 'no summary'}"
        yield _Event(
            at=change.at, mark=Mark.CHANGE, what=sentence(what), entity=name(change.entity)
        )


def _evidence(causes: tuple[Cause, ...]) -> Iterator[_Event]:
    strong = [fact for cause in causes[:1] for fact in cause.evidence if fact.strength >= _NOISE]
    timed = [fact for fact in strong if fact.at is not None]
    for fact in timed[:_MOST_EVIDENCE]:
        if fact.at is not None:
            what = sentence(clean(fact.claim))
            yield _Event(at=fact.at, mark=Mark.EVIDENCE, what=what, entity=name(fact.entity))


def _alerts(alerts: Iterable[Alert]) -> Iterator[_Event]:
    """One moment for each alert of each entity: when it was first seen, and how often.

    What one entity's alerts first say at one and the same second is one moment.
    """
    groups: dict[tuple[str, str], list[Alert]] = {}
    for alert in alerts:
        if alert.starts_at is not None:
            groups.setdefault((name(alert.entity), clean(alert.name)), []).append(alert)
    together: dict[tuple[str, datetime], list[tuple[str, str]]] = {}
    for (entity, title), group in groups.items():
        first = min(alert.starts_at for alert in group if alert.starts_at is not None)
        told = (title, _told(group))
        together.setdefault((entity, first.replace(microsecond=0)), []).append(told)
    for (entity, at), said in together.items():
        yield _Event(at=at, mark=Mark.ALERT, what=_firing(said), entity=entity)


def _firing(said: list[tuple[str, str]]) -> str:
    """What fires, as a sentence: of one alert `a fires (page, 3 times).`, of many `a, b fire.`."""
    if len(said) == 1:
        title, told = said[0]
        return f"{title} fires{told}."
    shown = tuple(f"{title}{told}" for title, told in said[:_MOST_SAID])
    more = len(said) - _MOST_SAID
    return f"{joined((*shown, f'{more} more') if more > 0 else shown)} fire."


def _told(group: list[Alert]) -> str:
    seen = sum(alert.count for alert in group)
    severity = clean(group[0].severity, longest=40)
    told = [severity] * bool(severity) + [f"{figure(seen, 'count')} times"] * (seen > 1)
    return f" ({', '.join(told)})" if told else ""


def _nearest(events: list[_Event], onset: datetime | None) -> list[_Event]:
    """The moments nearest to the onset, still in order; without an onset the first ones."""
    if len(events) <= MOST_MOMENTS or onset is None:
        return events[:MOST_MOMENTS]
    rows = sorted(
        range(len(events)),
        key=lambda row: (events[row].mark is not Mark.ONSET, abs(events[row].at - onset), row),
    )
    return [events[row] for row in sorted(rows[:MOST_MOMENTS])]


def _moment(event: _Event, onset: datetime | None) -> Moment:
    return Moment(
        at=when(event.at),
        clock=clock(event.at),
        offset=offset((event.at - onset).total_seconds()) if onset else "",
        mark=event.mark,
        what=event.what,
        entity=event.entity,
    )
