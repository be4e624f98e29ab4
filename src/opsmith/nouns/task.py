"""Tasks: what a sentence asks for, once it has been read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from opsmith.errors import BadInput

SlotValue: TypeAlias = str | int | bool | tuple[str, ...]


class Risk(StrEnum):
    """What carrying a task out may do to the world, least first."""

    READ = "read"
    CHANGE = "change"
    DESTRUCTIVE = "destructive"

    @property
    def rank(self) -> int:
        """0 for read, 1 for change, 2 for destructive."""
        return list(Risk).index(self)


class RefusalKind(StrEnum):
    """Why a sentence is not turned into tasks."""

    OUT_OF_SCOPE = "out_of_scope"
    UNSAFE = "unsafe"
    UNREADABLE = "unreadable"


class DecidedBy(StrEnum):
    """Which part of the reading decided."""

    GATE = "gate"
    RULES = "rules"
    DIALOGUE = "dialogue"
    INTENT_MODEL = "intent_model"
    LANGUAGE_MODEL = "language_model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One choice made while reading: which part made it, and why."""

    by: DecidedBy
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One checked piece of work.

    slots: canonical values by slot name; never the raw words of the sentence.
    depends_on: positions, in the same result, of the tasks that must end first; with the slot
        `condition`, what they must have found.
    """

    intent: str
    slots: Mapping[str, SlotValue] = field(default_factory=dict)
    depends_on: tuple[int, ...] = ()
    risk: Risk = Risk.READ

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", MappingProxyType(dict(self.slots)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """Complete tasks, which may go on to policy and approval.

    zone: the time zone in which clock times in slots are to be read.
    Raises `BadInput` when a dependency points outside, at itself or in a circle.
    """

    tasks: tuple[Task, ...]
    zone: str = "UTC"
    decisions: tuple[Decision, ...] = ()

    def __post_init__(self) -> None:
        check_order(self.tasks)

    @property
    def risk(self) -> Risk:
        """The highest risk of its tasks."""
        return highest_risk(self.tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clarify:
    """Something is missing or can be read in two ways; the question says what.

    tasks: what was understood so far; may be empty.
    missing: slot names, or `intent`, `condition`, `schedule`.
    """

    question: str
    missing: tuple[str, ...]
    tasks: tuple[Task, ...] = ()
    zone: str = "UTC"
    decisions: tuple[Decision, ...] = ()

    @property
    def risk(self) -> Risk:
        """The highest risk of what was understood so far; what was not may be a change."""
        unknown = (Risk.CHANGE,) if "intent" in self.missing else ()
        return highest([*(task.risk for task in self.tasks), *unknown])


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing will be done, and why."""

    kind: RefusalKind
    reason: str
    decisions: tuple[Decision, ...] = ()


Reading: TypeAlias = Understood | Clarify | Refused


def highest_risk(tasks: tuple[Task, ...]) -> Risk:
    """The highest risk among tasks; read when there are none."""
    return highest(task.risk for task in tasks)


def highest(risks: Iterable[Risk]) -> Risk:
    """The highest of some risks; read when there are none."""
    return max(risks, key=lambda risk: risk.rank, default=Risk.READ)


def check_order(tasks: tuple[Task, ...]) -> None:
    """Raise `BadInput` unless the dependencies of `tasks` form an order."""
    left = {place: set(task.depends_on) for place, task in enumerate(tasks)}
    if any(not needed <= left.keys() for needed in left.values()):
        raise BadInput("A task depends on a task that is not there.")
    while left:
        ready = {place for place, needed in left.items() if not needed & left.keys()}
        if not ready:
            raise BadInput("Tasks depend on each other in a circle.")
        left = {place: needed for place, needed in left.items() if place not in ready}
