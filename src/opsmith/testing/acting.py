"""A small world of dials in memory with one action on it, and the promises of every reach."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from opsmith.errors import BadInput, NotBegun, NotFound, Unreachable
from opsmith.execute.action import ActionSpec, Finding, Preview, World
from opsmith.nouns.clock import Clock
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Order, Values
from opsmith.nouns.task import Risk
from opsmith.seams.reach import Found, Reach, Reply

TURN = "dial.turn"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class DialReach:
    """Dials that can be turned; keeps every promise of a reach for as long as it lives.

    broken: targets whose way is closed. full: those that take no order now. slow_s: how long a
    turn takes. turned: each that was turned, in order.
    """

    def __init__(self, dials: Mapping[str, int]) -> None:
        self.dials = dict(dials)
        self.turned: list[str] = []
        self.broken: set[str] = set()
        self.full: set[str] = set()
        self.slow_s = 0.0
        self.sticky: set[str] = set()
        self.owners: dict[str, str] = {}

    @property
    def turns(self) -> int:
        """How often anything was turned."""
        return len(self.turned)

    def carries(self, target: Entity, verb: str) -> bool:
        return verb == TURN and target.name in self.dials

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        at = self._at(target, verb)
        return Found(version=str(at), facts={"at": at}, owner=self.owners.get(target.name, ""))

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        at = self._at(target, verb)
        to = values.get("to")
        if not isinstance(to, int) or isinstance(to, bool):
            raise BadInput("A dial is turned to a whole number.")
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.sleep(self.slow_s)
        except TimeoutError as error:
            raise Unreachable(f"{target} did not answer in time.") from error
        if target.name in self.full:
            raise NotBegun(f"{target} takes no order now.")
        self.turned.append(target.name)
        if target.name not in self.sticky:
            self.dials[target.name] = to
        return Reply(says=f"turned from {at} to {to}", facts={"at": self.dials[target.name]})

    async def aclose(self) -> None:
        self.broken |= set(self.dials)

    def _at(self, target: Entity, verb: str) -> int:
        if verb != TURN:
            raise BadInput(f"A dial knows no {verb}.")
        if target.name in self.broken:
            raise Unreachable(f"{target} does not answer.")
        if target.name not in self.dials:
            raise NotFound(f"There is no {target}.")
        return self.dials[target.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWay:
    """A world that one reach leads through."""

    way: Reach

    def reach(self, target: Entity, verb: str) -> Reach:
        del target, verb
        return self.way


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnDial:
    """Turns a dial and can turn it back."""

    risk: Risk = Risk.CHANGE
    irreversible: str = ""
    deadline_s: float = 5.0
    name: str = TURN
    most: int = field(default=100)

    @property
    def spec(self) -> ActionSpec:
        return ActionSpec(
            name=self.name,
            title="Turn a dial",
            risk=self.risk,
            targets=frozenset({EntityKind.SERVICE}),
            inputs={
                "type": "object",
                "additionalProperties": False,
                "required": ["to"],
                "properties": {"to": {"type": "integer", "maximum": self.most}},
            },
            rights="to turn the dial",
            undo="" if self.irreversible else "turns it back",
            irreversible=self.irreversible,
            deadline_s=self.deadline_s,
        )

    def resource(self, order: Order) -> str:
        return str(order.target)

    async def dry_run(self, order: Order, world: World) -> Preview:
        found = await world.reach(order.target, TURN).look(order.target, TURN, order.values)
        says = f"{order.target} goes from {found.facts['at']} to {order.values['to']}"
        return Preview(version=found.version, says=says, before=found.facts, owner=found.owner)

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        return await self._turn(order, order.values["to"], world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        found = await world.reach(order.target, TURN).look(order.target, TURN, order.values)
        at, to = found.facts["at"], order.values["to"]
        return Finding(holds=at == to, says=f"{order.target} is at {at}, should be at {to}")

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        return await self._turn(order, preview.before["at"], world)

    async def _turn(self, order: Order, to: object, world: World) -> str:
        values = {"to": to if isinstance(to, int) else 0}
        reach = world.reach(order.target, TURN)
        reply = await reach.send(order.target, TURN, values, deadline_s=self.deadline_s)
        return reply.says


class HandClock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.now = NOON
        self.offset_s = 1_000_000.0
        self.boot = "boot-1"

    def __call__(self) -> Clock:
        return Clock(now=self.now, boot=self.boot, offset_s=self.offset_s)

    def passes(self, seconds: float) -> None:
        """Time goes by: both clocks agree."""
        self.now += timedelta(seconds=seconds)

    def is_set(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.now += timedelta(seconds=seconds)
        self.offset_s += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a reach is tried on.

    target, verb, values: a change that it carries.
    broken: a target that is not there.
    """

    reach: Reach
    target: Entity
    verb: str
    values: Values
    broken: Entity
    deadline_s: float = 20.0


async def check_looking_changes_nothing(trial: Trial) -> None:
    first = await trial.reach.look(trial.target, trial.verb, trial.values)
    second = await trial.reach.look(trial.target, trial.verb, trial.values)

    assert first == second


async def check_a_change_shows_in_the_version(trial: Trial) -> None:
    before = await trial.reach.look(trial.target, trial.verb, trial.values)

    await _send(trial, trial.values)

    after = await trial.reach.look(trial.target, trial.verb, trial.values)
    assert after.version != before.version


async def check_the_same_verb_twice_does_no_more_than_once(trial: Trial) -> None:
    await _send(trial, trial.values)
    once = await trial.reach.look(trial.target, trial.verb, trial.values)

    await _send(trial, trial.values)

    assert (await trial.reach.look(trial.target, trial.verb, trial.values)).facts == once.facts


async def check_a_target_that_is_not_there_is_said(trial: Trial) -> None:
    assert await _raises(NotFound, trial.reach.look(trial.broken, trial.verb, trial.values))


async def check_a_verb_it_does_not_carry_is_refused(trial: Trial) -> None:
    assert trial.reach.carries(trial.target, trial.verb)
    assert not trial.reach.carries(trial.target, "no.such_verb")
    assert not trial.reach.carries(trial.broken, trial.verb)
    assert await _raises(BadInput, trial.reach.look(trial.target, "no.such_verb", trial.values))


REACH_CHECKS: list[Callable[[Trial], Awaitable[None]]] = [
    check_looking_changes_nothing,
    check_a_change_shows_in_the_version,
    check_the_same_verb_twice_does_no_more_than_once,
    check_a_target_that_is_not_there_is_said,
    check_a_verb_it_does_not_carry_is_refused,
]


async def _send(trial: Trial, values: Values) -> Reply:
    return await trial.reach.send(trial.target, trial.verb, values, deadline_s=trial.deadline_s)


async def _raises(kind: type[Exception], awaited: Awaitable[object]) -> bool:
    try:
        await awaited
    except kind:
        return True
    return False
