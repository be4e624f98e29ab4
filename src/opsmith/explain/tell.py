"""Tell: makes the Story of a Diagnosis and its Recording; no clock, so the same story twice."""

from __future__ import annotations

from opsmith.explain.checks import checks
from opsmith.explain.drawing import draw
from opsmith.explain.plots import Frame, bars, plot
from opsmith.explain.scene import scene
from opsmith.explain.span_series import series_of_spans
from opsmith.explain.story import Candidate, Dismissed, Exhibit, Lack, Plot, Story
from opsmith.explain.timeline import timeline
from opsmith.explain.verdict import HEADLINES, verdict
from opsmith.explain.words import (
    clean,
    clock,
    figure,
    joined,
    meaning,
    name,
    percent,
    sentence,
    title,
    when,
)
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Cause, Channel, Diagnosis, Evidence, Status
from opsmith.nouns.diagnosis import Path as FaultPath
from opsmith.nouns.recording import Recording
from opsmith.nouns.series import Series

_MOST_EXHIBITS = 6
_MOST_EXHIBITS_OF_OTHERS = 3
_MOST_PLOTS = 2
# A fact weaker than half of what noise does now and then says nothing to a person.
_WEAKEST = 0.5
# Who is less likely than this, with nothing that speaks for it, is not shown.
_UNLIKELY = 0.01

_CHANNELS = {
    Channel.RESOURCE: "resource metric",
    Channel.SELF_SHARE: "own share of the time",
    Channel.EDGE_GAP: "time lost between caller and callee",
    Channel.EVENT_PAIR: "new order of events inside a span",
    Channel.ERRORS: "errors",
    Channel.ALERT: "alerts",
    Channel.CHANGE: "change",
}


def tell(
    diagnosis: Diagnosis, recording: Recording, *, top: int, seen_before: tuple[str, ...] = ()
) -> Story:
    """The story with the `top` likeliest causes."""
    # Where nothing is ill, the ranking that comes with the answer blames nobody.
    healthy = diagnosis.status is Status.HEALTHY
    causes = () if healthy else _shown(diagnosis.causes[:top])
    series = {one.key: one for one in recording.series}
    moments, timeline_note = timeline(diagnosis, recording, causes)
    return Story(
        incident=title(diagnosis.incident),
        status=diagnosis.status,
        headline=HEADLINES[diagnosis.status],
        verdict=verdict(diagnosis),
        confidence=percent(causes[0].confidence) if causes else "",
        since=when(diagnosis.onset) if diagnosis.onset and not healthy else "",
        alerting=tuple(name(entity) for entity in diagnosis.alerting),
        reasons=tuple(sentence(clean(reason)) for reason in diagnosis.reasons),
        path=tuple(name(entity) for entity in diagnosis.path.entities) if diagnosis.path else (),
        path_notes=_path_notes(diagnosis.path),
        timeline=moments,
        timeline_note=timeline_note,
        map=draw(scene(diagnosis, recording.topology, causes)),
        candidates=tuple(
            _candidate(rank, cause, (diagnosis, recording, series))
            for rank, cause in enumerate(causes, 1)
        ),
        candidates_left_out=0 if healthy else len(diagnosis.causes) - len(causes),
        ruled_out=tuple(
            Dismissed(entity=name(out.entity), why=sentence(clean(out.why)))
            for out in diagnosis.ruled_out
        ),
        missing=tuple(
            Lack(part=clean(lack.part), what=sentence(clean(lack.what)))
            for lack in diagnosis.missing
        ),
        checks=() if healthy else checks(diagnosis, recording, series),
        seen_before=tuple(sentence(clean(one)) for one in seen_before),
    )


def _shown(causes: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """The likeliest, and those others that are likely at all or have something against them."""
    return causes[:1] + tuple(
        cause
        for cause in causes[1:]
        if cause.confidence >= _UNLIKELY
        or any(fact.strength >= _WEAKEST for fact in cause.evidence)
    )


# What the evidence is drawn from: the answer, the recording, and its series by key.
_Sources = tuple[Diagnosis, Recording, dict[str, Series]]


def _path_notes(path: FaultPath | None) -> tuple[str, ...]:
    if path is None:
        return ()
    strength = figure(path.bottleneck, "")
    notes = [f"Everything on it changed by at least {strength} times its own noise."]
    if not path.bottleneck:
        notes = ["Not everything on it was measured: it follows the calls that are known."]
    if path.over_limit:
        cost = "" if path.cost is None else f" (cost {figure(path.cost, '')})"
        notes.append(f"It is unusually long or costly{cost}: check both ends before you act.")
    notes.extend(
        f"{joined(tuple(name(entity) for entity in circle))} call each other in a circle."
        for circle in path.cycles
    )
    return tuple(notes)


def _candidate(rank: int, cause: Cause, sources: _Sources) -> Candidate:
    most = _MOST_EXHIBITS if rank == 1 else _MOST_EXHIBITS_OF_OTHERS
    shown = [fact for fact in cause.evidence if fact.strength >= _WEAKEST][:most]
    return Candidate(
        rank=rank,
        entity=name(cause.entity),
        kind=cause.kind,
        meaning="" if cause.kind is CauseKind.UNKNOWN else meaning(cause.kind),
        confidence=percent(cause.confidence),
        share=round(min(max(cause.confidence, 0.0), 1.0), 4),
        exhibits=_exhibits(shown, sources),
        left_out=len(cause.evidence) - len(shown),
    )


def _exhibits(facts: list[Evidence], sources: _Sources) -> tuple[Exhibit, ...]:
    """The facts with their plots; what two facts share is drawn once."""
    drawn: set[str] = set()
    exhibits: list[Exhibit] = []
    for fact in facts:
        plots = tuple(one for one in _plots(fact, sources) if one.title not in drawn)
        drawn.update(one.title for one in plots)
        exhibits.append(_exhibit(fact, plots))
    return tuple(exhibits)


def _exhibit(fact: Evidence, plots: tuple[Plot, ...]) -> Exhibit:
    # An alert has no size that noise could be a unit of; its claim says how rare it is.
    loud = "" if fact.channel is Channel.ALERT else f"{figure(fact.strength, '')} × its noise"
    return Exhibit(
        claim=sentence(clean(fact.claim)),
        channel=_CHANNELS[fact.channel],
        strength=loud,
        at=clock(fact.at) if fact.at else "",
        bars=bars(fact),
        plots=plots,
    )


def _plots(fact: Evidence, sources: _Sources) -> tuple[Plot, ...]:
    """The series behind a fact; a fact from spans gets the series that its spans make."""
    diagnosis, recording, by_key = sources
    frame = Frame(window=recording.window, reference=recording.reference, onset=diagnosis.onset)
    behind = [by_key[key] for key in fact.series if key in by_key][:_MOST_PLOTS]
    if not fact.series and recording.spans is not None:
        behind = list(series_of_spans(recording.spans, fact.entity, fact.channel))
    drawn = (plot(series, frame) for series in behind)
    return tuple(one for one in drawn if one is not None)
