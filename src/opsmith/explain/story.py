"""Story: one data structure behind every form of the report; nothing in it needs escaping twice.

Every text in it is made fit to be shown (`words.clean`); escaping for its own language is the
business of each form.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from opsmith.nouns.diagnosis import Status


class Mark(StrEnum):
    """What sort of moment a line of the timeline is."""

    ONSET = "onset"
    CHANGE = "change"
    EVIDENCE = "evidence"
    ALERT = "alert"


class Role(StrEnum):
    """What an entity is in the drawing; the first that fits."""

    CAUSE = "cause"
    PATH = "path"
    ALERTING = "alerting"
    CANDIDATE = "candidate"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of the timeline. offset: to the onset, empty when there is none."""

    at: str
    clock: str
    offset: str
    mark: Mark
    what: str
    entity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A small plot in a box of `plots.WIDTH` x `plots.HEIGHT`.

    strokes: SVG path data, one a stretch without a gap.
    band: top and height of what was usual before, None without a reference.
    onset_x: where the trouble began, None when that is outside or unknown.
    ticks: the same line in block characters, for a terminal.
    """

    title: str
    strokes: tuple[str, ...]
    band: tuple[float, float] | None
    onset_x: float | None
    low: str
    high: str
    start: str
    end: str
    words: str
    ticks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Two figures side by side: before and after, each with the length of its bar (0 to 1)."""

    before: str
    after: str
    before_share: float
    after_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One checked fact, how strong it is, and what it looks like."""

    claim: str
    channel: str
    strength: str
    at: str
    bars: Bars | None
    plots: tuple[Plot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate with its evidence. left_out: facts that the report does not show."""

    rank: int
    entity: str
    kind: str
    meaning: str
    confidence: str
    share: float
    exhibits: tuple[Exhibit, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A box of the drawing; x, y is its upper left corner.

    step: its place on the path, 1 at the cause, 0 off the path; rank: 0 when no candidate.
    """

    entity: str
    kind: str
    label: str
    x: float
    y: float
    width: float
    role: Role
    alerting: bool
    step: int
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the drawing as SVG path data.

    lit: on the path; blamed: it is itself the likeliest cause;
    called: it stands for calls (full line), else for where something runs or belongs (dotted).
    """

    words: str
    d: str
    lit: bool
    blamed: bool
    called: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """The drawing of the topology. note: what was left out of it, empty when nothing was."""

    # Boxes and lines are in the units of the drawing, one a pixel at its natural size.

    width: float
    height: float
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]
    words: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What to look at next: why, and the command to copy."""

    why: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What the recording lacked and what that costs the answer."""

    part: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissed:
    """A candidate that was ruled out, and why."""

    entity: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The whole report. path: cause first, each an entity's `TYPE:NAME`; empty without one.

    seen_before: confirmed incidents like this one, a sentence each.
    bonds: signals that belong together, each with its weight and what that is made of.
    """

    incident: str
    status: Status
    headline: str
    verdict: str
    confidence: str
    since: str
    alerting: tuple[str, ...]
    reasons: tuple[str, ...]
    path: tuple[str, ...]
    path_notes: tuple[str, ...]
    timeline: tuple[Moment, ...]
    timeline_note: str
    map: Map | None
    candidates: tuple[Candidate, ...]
    candidates_left_out: int
    ruled_out: tuple[Dismissed, ...]
    missing: tuple[Lack, ...]
    checks: tuple[Check, ...]
    seen_before: tuple[str, ...] = ()
    bonds: tuple[str, ...] = ()
