"""confined: one turn of the action of a package, in a process that can do nothing else.

Reads the turn from its standard input, loads the action, calls the method, and writes what came
of it as its last line.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Awaitable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TypeVar

from opsmith.errors import (
    BadAnswer,
    BadInput,
    Conflict,
    HouseError,
    NotFound,
    OpsmithError,
    Unreachable,
)
from opsmith.execute import turns
from opsmith.execute.action import ActionSpec, Finding, Needs, PackagedAction, Preview
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.seams.reach import Found, Reach, Reply

T = TypeVar("T")

ERRORS = {one.__name__: one for one in (BadAnswer, BadInput, Conflict, NotFound, Unreachable)}


def serve() -> None:
    """Do the turn on the standard input."""
    turn = json.load(sys.stdin)
    told = asyncio.run(_told(turn))
    sys.stdout.write(f"\n{turns.MARK}{json.dumps(told)}\n")
    sys.stdout.flush()


async def _told(turn: Mapping[str, object]) -> Mapping[str, object]:
    try:
        action = _loaded(str(turn["entry"]))
        return {"done": await _done(action, turn)}
    except _Asked as asked:
        return {"ask": asked.ask}
    except OpsmithError as error:
        return {"error": type(error).__name__, "message": str(error)[: turns.LONGEST_SAID]}


def _loaded(entry: str) -> PackagedAction:
    try:
        made = EntryPoint(name="action", value=entry, group="opsmith.actions").load()
        action: PackagedAction = made() if isinstance(made, type) else made
    except (ImportError, AttributeError, TypeError) as error:
        raise BadInput(f"it cannot be loaded: {error}") from error
    return action


async def _done(action: PackagedAction, turn: Mapping[str, object]) -> object:
    call = str(turn["call"])
    if call == "describe":
        return _described(action)
    order = turns.to_order(_part(turn, "order"))
    answers = turn["answers"]
    places = {name: Path(str(path)) for name, path in _part(turn, "places").items()}
    world = ReplayedWorld(answers if isinstance(answers, list) else [], places)
    if call == "dry_run":
        return turns.of_preview(_is(await action.dry_run(order, world), Preview))
    preview = turns.to_preview(_part(turn, "preview"))
    if call == "verify":
        return turns.of_finding(_is(await action.verify(order, preview, world), Finding))
    method: Awaitable[str] = getattr(action, call)(order, preview, world)
    return str(await method)


def _described(action: PackagedAction) -> Mapping[str, object]:
    """Its spec and needs, or what it has not."""
    spec, needs = getattr(action, "spec", None), getattr(action, "needs", None)
    faults = [] if isinstance(spec, ActionSpec) else ["it has no spec"]
    if not isinstance(needs, Needs):
        faults.append("it does not say what it needs")
    for name in turns.CALLS:
        method = getattr(action, name, None)
        if not callable(method):
            faults.append(f"it has no {name}")
        elif not inspect.iscoroutinefunction(method):
            faults.append(f"its {name} is not a coroutine")
    if faults or not isinstance(spec, ActionSpec) or not isinstance(needs, Needs):
        return {"faults": faults}
    return {"faults": [], **turns.of_spec(spec, needs)}


class ReplayedWorld:
    """The world of one turn: ways that answer what was asked before, and then end the turn."""

    def __init__(self, answers: list[object], places: Mapping[str, Path]) -> None:
        self._answers = iter(answers)
        self._places = places

    def reach(self, target: Entity, verb: str) -> Reach:
        """The way that carries `verb`; whether there is one shows when it is taken."""
        del target, verb
        return _ReplayedReach(self)

    def place(self, name: str) -> Path:
        """The folder of this name. Raises `NotFound`."""
        if name not in self._places:
            raise NotFound(f"This action declares no place {name[:60]!r}.")
        return self._places[name]

    def answer(self, ask: Mapping[str, object]) -> Mapping[str, object]:
        """The answer to the next thing that is asked. Raises what was answered with an error."""
        pair = next(self._answers, None)
        if pair is None:
            raise _Asked(ask)
        if not isinstance(pair, dict) or pair["ask"] != json.loads(json.dumps(ask)):
            raise HouseError("This action asks another thing when it is called again.")
        told: Mapping[str, object] = pair["answer"]
        if "error" in told:
            raise ERRORS.get(str(told["error"]), BadAnswer)(str(told["message"]))
        return told


class _ReplayedReach:
    def __init__(self, world: ReplayedWorld) -> None:
        self._world = world

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether there is a way shows when it is taken."""
        del target, verb
        return True

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        return turns.to_found(self._world.answer(_ask("look", target, verb, values)))

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        del deadline_s  # the step's own holds for all of its turns
        return turns.to_reply(self._world.answer(_ask("send", target, verb, values)))

    async def aclose(self) -> None:
        """Nothing is held open."""


class _Asked(BaseException):
    """Ends the turn; not to be caught by an action that catches every error."""

    def __init__(self, ask: Mapping[str, object]) -> None:
        self.ask = ask
        super().__init__()


def _ask(kind: str, target: Entity, verb: str, values: Values) -> Mapping[str, object]:
    return {
        "kind": kind,
        "target": str(target),
        "verb": verb,
        "values": turns.of_values(values),
    }


def _part(turn: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = turn[name]
    return part if isinstance(part, dict) else {}


def _is(made: object, kind: type[T]) -> T:
    if not isinstance(made, kind):
        raise BadAnswer(f"It gives {type(made).__name__}, not {kind.__name__}.")
    return made
