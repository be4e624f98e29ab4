"""Answer: what came of one task of a sentence, with the evidence that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from opsmith.nouns.plan import Dossier
from opsmith.nouns.task import Reading, Task


class Language(StrEnum):
    """The language of a question, and so of its answer."""

    ENGLISH = "en"
    CHINESE = "zh"


class AnswerStatus(StrEnum):
    """What came of a task.

    ANSWERED: it was looked up. PLAN: it would change something; a plan stands on the ledger.
    DENIED: policy, or the role of who asks, does not let it through.
    SKIPPED: the condition in front of it did not hold. UNKNOWN: nothing is there to tell.
    FAILED: a server did not answer or the request cannot be met as it stands.
    """

    ANSWERED = "answered"
    PLAN = "plan"
    DENIED = "denied"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Finding(StrEnum):
    """What a task found, as conditions of later tasks speak of it."""

    BREACH = "breach"
    NO_BREACH = "no_breach"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where an answer comes from.

    source: the server or the recording; query: what it was asked, as it was sent.
    start, end: the time that was looked at, UTC-aware, None where it has none.
    count: how many series, lines or records were found; names: some of them.
    """

    source: str
    query: str
    start: datetime | None = None
    end: datetime | None = None
    count: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of an answer. unit: as in `Unit`; at: when it was so, UTC-aware."""

    name: str
    value: float
    unit: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one task.

    said: sentences for a person, the most important first. detail: a block of text to show as it
    is (a plot, a table, a report). narration: the same facts told by a model; empty for none.
    plan: the plan that the task became, with what policy says of it.
    """

    task: Task
    status: AnswerStatus
    said: tuple[str, ...]
    finding: Finding | None = None
    detail: str = ""
    figures: tuple[Figure, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    narration: str = ""
    plan: Dossier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one sentence: how it was read, and what came of each of its tasks.

    said: what is said to the whole of it (a question, a refusal); empty when the answers speak.
    """

    language: Language
    reading: Reading
    answers: tuple[Answer, ...] = ()
    said: str = ""

    @property
    def plans(self) -> tuple[Dossier, ...]:
        """The plans that were made, each once."""
        found = {one.plan.plan.id: one.plan for one in self.answers if one.plan is not None}
        return tuple(found.values())
