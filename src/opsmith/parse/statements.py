"""Statements: what is said of several things, and asked about all of them at once."""

from __future__ import annotations

from dataclasses import replace

from opsmith.parse.evidence import NOUN, Guess
from opsmith.parse.lexicon import STRONG, phrase
from opsmith.parse.pieces import Segment
from opsmith.parse.spans import Tagger

_EACH = phrase("statements", "each")
_NAMED = frozenset({"svc", "host", "grp", "ns", "name"})
_TOLD = frozenset({"diagnose_incident", "query_metric", "check_health", "query_resource"})


def each_asked_about(found: list[Segment], tagger: Tagger) -> list[Segment]:
    """Make a diagnosis of each statement before "diagnose all three": theirs is the subject."""
    place = next((p for p, one in enumerate(found) if _asks_of_each(one, tagger)), 0)
    start = place
    while start and _states(found[start - 1], tagger):
        start -= 1
    if place - start < 2:  # noqa: PLR2004 - one statement is what a plain question is about
        return found
    asked = Guess(intent="diagnose_incident", points=STRONG)
    own = [
        replace(one, guess=asked, marks=("and", "each") if one is not found[start] else one.marks)
        for one in found[start:place]
    ]
    return [*found[:start], *own, *found[place + 1 :]]


def _asks_of_each(segment: Segment, tagger: Tagger) -> bool:
    asked = segment.guess is not None and segment.guess.intent == "diagnose_incident"
    return asked and bool(_EACH.search(segment.text)) and not _kinds(segment, tagger) & _NAMED


def _states(segment: Segment, tagger: Tagger) -> bool:
    told = segment.guess is None or (
        segment.guess.intent in _TOLD and segment.guess.points < max(STRONG, NOUN) + 0.5
    )
    return told and bool(_kinds(segment, tagger) & _NAMED)


def _kinds(segment: Segment, tagger: Tagger) -> set[str]:
    return {span.kind for span in tagger.within(segment.text)}
