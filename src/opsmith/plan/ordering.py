"""ordering: takes a checked task, gives orders for change control, or what stands in the way.

Nothing that was said is left out: a slot that no action takes note of, and that the targets file
does not say of the target, stops the plan. So `restart cart in staging` never restarts another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from opsmith.errors import BadInput
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Order, Value
from opsmith.nouns.task import SlotValue, Task
from opsmith.plan.order_table import Row, Source, Table

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(\d+)([smhdw])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target that is configured. facts: what is known of where it is, by slot."""

    entity: Entity
    facts: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A command that the targets file knows. action: what may run it; values: NAME=VALUE."""

    name: str
    action: str
    values: tuple[str, ...] = ()


class Ground(Protocol):
    """What is configured to act on."""

    async def targets(
        self, name: str, kinds: Sequence[EntityKind], action: str
    ) -> tuple[Target, ...]:
        """Those called so to which a way for the action leads."""

    async def replicas(self, target: Entity, values: Mapping[str, Value]) -> int:
        """How many replicas it has now. Raises what the way to it raises."""

    def command(self, text: str) -> Registered | None:
        """The registered command that these words are, None for none."""

    def commands(self) -> tuple[str, ...]:
        """The names of all registered commands."""


class Obstacle(StrEnum):
    """Why a task becomes no plan; the further down, the nearer it came."""

    NO_ACTION = "no_action"
    NO_WAY = "no_way"
    OTHER_KIND = "other_kind"
    UNREGISTERED = "unregistered"
    ELSEWHERE = "elsewhere"
    UNHEEDED = "unheeded"
    MISSING = "missing"
    SEVERAL = "several"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What stands in the way of a task, with the names that say it."""

    obstacle: Obstacle
    action: str = ""
    name: str = ""
    kind: str = ""
    slot: str = ""
    needs: str = ""
    choices: tuple[str, ...] = ()


async def orders_of(task: Task, table: Table, ground: Ground) -> tuple[Order, ...] | Lack:
    """The orders that carry the task out, by the first row that can; else the nearest obstacle."""
    rows = [row for row in table.get(task.intent, ()) if row.applies(task)]
    lacks = [Lack(obstacle=Obstacle.NO_ACTION, name=task.intent)]
    for row in rows:
        made = await _ordered(task, row, ground)
        if not isinstance(made, Lack):
            return made
        lacks.append(made)
    nearness = list(Obstacle)
    return max(lacks, key=lambda lack: nearness.index(lack.obstacle))


async def _ordered(task: Task, row: Row, ground: Ground) -> tuple[Order, ...] | Lack:
    found = await _targets(task, row, ground)
    if isinstance(found, Lack):
        return found
    lack = _unheeded(task, row)
    if lack is not None:
        return lack
    values = _values(task, row, ground)
    if isinstance(values, Lack):
        return values
    return tuple([await _order(task, row, one, (values, ground)) for one in found])


async def _order(
    task: Task, row: Row, target: Entity, given: tuple[Mapping[str, Value], Ground]
) -> Order:
    values, ground = given
    more: dict[str, Value] = {}
    for name, source in row.values.items():
        if source.form == "delta" and source.slot in task.slots:
            now, delta = await ground.replicas(target, values), int(str(task.slots[source.slot]))
            if now + delta < 1:
                raise BadInput(f"{target} has {now} replicas; {delta} more would leave none.")
            more[name] = now + delta
    return Order(action=row.action, target=target, values={**values, **more})


async def _targets(task: Task, row: Row, ground: Ground) -> tuple[Entity, ...] | Lack:
    alone = row.entity
    names = (alone.name,) if alone else names_in(task.slots[row.slot])
    kinds = (alone.kind,) if alone else row.kinds
    placed = {slot: names_in(task.slots[slot]) for slot in sorted(row.placed & set(task.slots))}
    entities: list[Entity] = []
    for name in names:
        found = await ground.targets(name, kinds, row.action)
        if not found:
            return Lack(
                obstacle=Obstacle.NO_WAY,
                action=row.action,
                name=name,
                kind="" if alone else kinds[0],
                needs=row.needs,
            )
        here = _here(found, placed, row, name)
        if isinstance(here, Lack):
            return here
        entities += here
    return tuple(entities)


def _here(
    found: Sequence[Target], placed: Mapping[str, Sequence[str]], row: Row, name: str
) -> list[Entity] | Lack:
    """Those of one name that are where the task says; one, or one a place that is told."""
    for slot, places in placed.items():
        known = frozenset[str]().union(*(one.facts.get(slot, frozenset()) for one in found))
        if not set(places) <= known:
            lack = Obstacle.ELSEWHERE if slot != "command" else Obstacle.UNREGISTERED
            return Lack(
                obstacle=lack,
                action=row.action,
                name=name,
                slot=f"{slot}={'+'.join(places)}",
                choices=tuple(sorted(known)),
            )
        found = [one for one in found if one.facts.get(slot, frozenset()) & set(places)]
    wanted = max([1, *(len(places) for places in placed.values())])
    if len(found) > wanted:
        shown = tuple(_shown(one) for one in found)
        return Lack(obstacle=Obstacle.SEVERAL, action=row.action, name=name, choices=shown)
    return [one.entity for one in found]


def _unheeded(task: Task, row: Row) -> Lack | None:
    """The first slot that the row takes no note of."""
    taken = {row.slot, "condition", *row.placed, *(one.slot for one in row.values.values())}
    for slot, value in task.slots.items():
        done = set(names_in(value)) <= set(row.heeds.get(slot, ())) if slot in row.heeds else False
        if slot not in taken and not done:
            said = f"{slot}={'+'.join(names_in(value))}"
            return Lack(obstacle=Obstacle.UNHEEDED, action=row.action, slot=said)
    missing = next((slot for slot in row.must if slot not in task.slots), None)
    if missing is not None:
        return Lack(obstacle=Obstacle.MISSING, action=row.action, slot=missing)
    return None


def _values(task: Task, row: Row, ground: Ground) -> dict[str, Value] | Lack:
    values: dict[str, Value] = {}
    for name, source in row.values.items():
        if source.slot not in task.slots or source.form == "delta":
            continue
        if source.form == "command":
            found = _command(task, row, ground)
            if isinstance(found, Lack):
                return found
            values |= found
        elif source.form == "revision":
            values |= _revision(str(task.slots[source.slot]))
        else:
            values[name] = _value(task.slots[source.slot], source)
    return values


def _command(task: Task, row: Row, ground: Ground) -> dict[str, Value] | Lack:
    text = str(task.slots["command"])
    known = ground.command(text)
    if known is None:
        return Lack(
            obstacle=Obstacle.UNREGISTERED,
            action=row.action,
            slot=f"command={text}",
            choices=ground.commands(),
        )
    if known.action != row.action:
        return Lack(obstacle=Obstacle.OTHER_KIND, action=row.action, slot=f"command={text}")
    values: dict[str, Value] = {"command": known.name}
    if known.values:
        values["values"] = known.values
    return values


def _revision(said: str) -> dict[str, Value]:
    """The one before is what a rollback goes to when nothing else is said."""
    if said == "previous":
        return {}
    return {"revision": int(said)} if said.isdecimal() else {"version": said}


def _value(value: SlotValue, source: Source) -> Value:
    match source.form:
        case "seconds":
            return seconds(str(value))
        case "label":
            return tuple(f"{source.label}={one}" for one in names_in(value))
        case _:
            return value


def seconds(text: str) -> int:
    """A length such as `7d` or `1h30m` in seconds. Raises `BadInput` for another text.

    >>> seconds("1h30m")
    5400
    """
    parts = _LENGTH.findall(text)
    if not parts or "".join(f"{count}{unit}" for count, unit in parts) != text:
        raise BadInput(f"{text[:40]!r} is no length of time, such as 7d or 1h30m.")
    return sum(int(count) * _UNIT_S[unit] for count, unit in parts)


def names_in(value: SlotValue) -> tuple[str, ...]:
    """The words of a slot: one or several."""
    return value if isinstance(value, tuple) else (str(value),)


def _shown(one: Target) -> str:
    told = ", ".join(f"{slot} {'+'.join(sorted(names))}" for slot, names in one.facts.items())
    return f"{one.entity} ({told})" if told else str(one.entity)
