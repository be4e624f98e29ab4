"""Action: one kind of change, whole: what it takes, what it would do, does, checks and undoes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Order, Values
from opsmith.nouns.task import Risk
from opsmith.seams.reach import Reach

# Wall clock of one step when the action says nothing else.
DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """What is known of an action before it is used.

    name: `noun.verb`. inputs: JSON Schema (Draft 7) of its values, closed by
        `additionalProperties: false`.
    targets: kinds of entities it works on. rights: what it needs, for a person.
    undo: how it is undone, in words; empty only when `irreversible` says why it cannot be.
    """

    name: str
    title: str
    risk: Risk
    targets: frozenset[EntityKind]
    inputs: Mapping[str, object]
    rights: str
    undo: str = ""
    irreversible: str = ""
    deadline_s: float = DEADLINE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a rehearsal found.

    version: the state of what would be touched. says: what would happen, for a person.
    before: all that an undo needs; it is on the ledger before anything happens.
    owner: a GitOps tool that would change it back, empty for none. instead: what gives the owner
        a patch, None where nothing does.
    members: whom it would touch in fact, when the target is a group.
    plan: id of the plan that it is carried out for, empty while it is only rehearsed.
    irreversible: why this one cannot be undone although others of its action can.
    risk: of this one, where it is higher than its action's.
    """

    version: str
    says: str
    before: Values
    owner: str = ""
    instead: Order | None = None
    members: tuple[Entity, ...] = ()
    plan: str = ""
    irreversible: str = ""
    risk: Risk = Risk.READ


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Whether a step did what it should, and what was seen."""

    holds: bool
    says: str


class World(Protocol):
    """The ways that lead to targets."""

    def reach(self, target: Entity, verb: str) -> Reach:
        """The way to `target` that carries `verb`. Raises `NotFound` when none does."""


class Action(Protocol):
    """One kind of change. Every method may be called again after a crash and does no harm."""

    @property
    def spec(self) -> ActionSpec:
        """What is known of it."""

    def resource(self, order: Order) -> str:
        """The key of what it touches; two steps with one key never overlap."""

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Look, change nothing. Raises `BadInput` for what can be seen to be wrong."""

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Do it; what happened, for a person."""

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """Look whether it did what it should."""

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Put back what `preview.before` says; what happened, for a person."""


class Access(StrEnum):
    """What an action of a package may do with a folder."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What an action of a package is given; nothing else is there for it.

    holds: the key of what it touches, with `{target}` in it; two steps with one key never overlap.
    verbs: those of the ways to its order's target that it may take, such as `service.restart`.
    places: names of folders; which folder that is, the targets file says for each target.
    """

    holds: str
    verbs: frozenset[str] = frozenset()
    places: Mapping[str, Access] = field(default_factory=dict)


class ConfinedWorld(World, Protocol):
    """What an action of a package sees of the world."""

    def place(self, name: str) -> Path:
        """The folder of this name; it can be written in `apply` and `undo`, if it was asked for.

        Raises `NotFound` for one that the action does not declare.
        """


class PackagedAction(Protocol):
    """An action of a package: run in the sandbox, each method in a process of its own.

    A method may be called again with the same values, and begins anew after each verb that it
    sends; what it did before it must then do no harm.
    """

    @property
    def spec(self) -> ActionSpec:
        """What is known of it."""

    @property
    def needs(self) -> Needs:
        """What it is given."""

    async def dry_run(self, order: Order, world: ConfinedWorld) -> Preview:
        """As `Action.dry_run`."""

    async def apply(self, order: Order, preview: Preview, world: ConfinedWorld) -> str:
        """As `Action.apply`."""

    async def verify(self, order: Order, preview: Preview, world: ConfinedWorld) -> Finding:
        """As `Action.verify`."""

    async def undo(self, order: Order, preview: Preview, world: ConfinedWorld) -> str:
        """As `Action.undo`."""
