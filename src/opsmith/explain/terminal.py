"""Terminal: the story in plain text, for a person at a prompt."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from opsmith.explain.story import Candidate, Exhibit, Story

_WIDTH = 96


def terminal(story: Story) -> str:
    """The report in the order of the page; commands are never broken: they are to be copied."""
    lines = [
        f"{story.headline} · incident {story.incident}",
        *_wrapped(story.verdict),
        *(line for reason in story.reasons[1:] for line in _wrapped(reason, "- ")),
        *_path(story),
        *_timeline(story),
        *(line for candidate in story.candidates for line in _candidate(candidate)),
        *_left_out(story),
        *_seen_before(story),
        *_pairs("Ruled out", [(out.entity, out.why) for out in story.ruled_out]),
        *_pairs("Missing data", [(lack.part, lack.what) for lack in story.missing]),
        *_checks(story),
    ]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, lead: str = "") -> list[str]:
    return wrap(
        text,
        _WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _path(story: Story) -> Iterator[str]:
    if story.path:
        yield ""
        yield from _wrapped(f"Path  {' → '.join(story.path)}")
        for note in story.path_notes:
            yield from _wrapped(note, "      ")


def _seen_before(story: Story) -> Iterator[str]:
    if story.seen_before:
        yield from ("", "Seen before")
        for one in story.seen_before:
            yield from _wrapped(one, "  - ")


def _timeline(story: Story) -> Iterator[str]:
    if not story.timeline:
        return
    yield from ("", "Timeline (UTC)")
    widest = max(len(moment.offset) for moment in story.timeline)
    for moment in story.timeline:
        named = not moment.entity or moment.entity in moment.what
        where = "" if named else f"{moment.entity}: "
        lead = f"  {moment.clock}  {moment.offset:>{widest}}  {moment.mark:<8}  "
        yield from _wrapped(f"{where}{moment.what}", lead)
    yield from _wrapped(story.timeline_note, "  ")


def _candidate(candidate: Candidate) -> Iterator[str]:
    yield ""
    yield (f"{candidate.rank}. {candidate.entity}  {candidate.kind}  {candidate.confidence} sure")
    if candidate.meaning:
        yield from _wrapped(f"{candidate.meaning}.", "   ")
    for exhibit in candidate.exhibits:
        yield from _exhibit(exhibit)


def _exhibit(exhibit: Exhibit) -> Iterator[str]:
    at = f"since {exhibit.at}" if exhibit.at else ""
    told = ", ".join(filter(None, (exhibit.channel, exhibit.strength, at)))
    yield from _wrapped(f"{exhibit.claim} [{told}]", "   - ")
    for plot in exhibit.plots:
        yield f"     {plot.ticks}  {plot.low} to {plot.high}, {plot.start} to {plot.end}"


def _left_out(story: Story) -> Iterator[str]:
    if story.candidates_left_out:
        yield from ("", f"{story.candidates_left_out} less likely candidates are not shown.")


def _pairs(title: str, pairs: list[tuple[str, str]]) -> Iterator[str]:
    if pairs:
        yield from ("", title)
        for name, text in pairs:
            yield from _wrapped(f"{name}: {text}", "  - ")


def _checks(story: Story) -> Iterator[str]:
    if story.checks:
        yield from ("", "Next checks")
        for check in story.checks:
            yield from _wrapped(check.why, "  ")
            yield f"    {check.command}"
