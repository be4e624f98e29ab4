"""Outside: the action of a package, carried out in the sandbox; its code never runs in here.

What it is given is what it declares and what the targets file names: the verbs of ways to the
order's target, asked on its behalf, and folders, which it can write only while it changes
something. Everything that it says is checked like a stranger's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from opsmith.errors import BadAnswer, BadInput, HouseError, NotBegun, OpsmithError, Unreachable
from opsmith.execute import turns
from opsmith.execute.action import Access, ActionSpec, Finding, Needs, Preview, World
from opsmith.execute.confined import ERRORS
from opsmith.execute.registry import spec_faults
from opsmith.execute.turns import Json
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order
from opsmith.nouns.redaction import redact
from opsmith.seams.sandbox import MEBIBYTE, Ending, Limits, Mount, Program, Quota, Ran, Sandbox

# An interpreter with what a package brings along.
MEMORY_BYTES = 256 * MEBIBYTE
DESCRIBED_WITHIN_S = 20.0
# Each verb that an action asks for is a turn, and each turn begins it anew.
MOST_TURNS = 20
QUOTA = Quota(at_once=4, per_minute=120)
# No thread pool of a numeric library: a turn is short, and tasks are few.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_LAST_WORDS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An action as it is installed.

    name: of the entry point. entry: what it loads, `module:object`. argv: starts
    `confined.serve`. mounts: what the interpreter and the package are read from.
    """

    name: str
    entry: str
    argv: tuple[str, ...]
    mounts: tuple[Mount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the targets file gives an action for a target. user: who it runs as, empty: nobody."""

    places: Mapping[str, Path] = field(default_factory=dict)
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What an action says that it is. faults: what it lacks, in words."""

    faults: tuple[str, ...]
    spec: ActionSpec | None = None
    needs: Needs | None = None


async def describe(package: Package, sandbox: Sandbox) -> Described:
    """Ask the package itself, confined and with nothing given. Who does not answer is at fault."""
    try:
        program = _program(package, "describe", DESCRIBED_WITHIN_S)
        turn = {"entry": package.entry, "call": "describe"}
        done = _done(await _turn(program, turn, sandbox))
        faults = done.get("faults")
        if faults != []:
            said = faults if isinstance(faults, list) else ["it describes itself in no known way"]
            return Described(faults=tuple(str(one)[:200] for one in said[:20]))
        spec, needs = turns.to_spec(done)
    except OpsmithError as error:
        return Described(faults=(str(error).rstrip("."),))
    found = [*spec_faults(spec), *_needs_faults(needs)]
    return Described(faults=tuple(found), spec=spec, needs=needs)


class OutsideAction:
    """An action of a package that is whole. given: by target."""

    def __init__(
        self, package: Package, described: Described, *, sandbox: Sandbox | None,
        given: Mapping[Entity, Given],
    ) -> None:  # fmt: skip
        if described.spec is None or described.needs is None or described.faults:
            raise HouseError(f"The action {package.name} is not whole.")
        self.spec = described.spec
        self._needs = described.needs
        self._package = package
        self._sandbox = sandbox
        self._given = given

    def resource(self, order: Order) -> str:
        """What it declares, for this target."""
        return self._needs.holds.replace("{target}", str(order.target))

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Its rehearsal, with every folder read-only."""
        return turns.to_preview(await self._called("dry_run", order, None, world))

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Its change."""
        return _says(await self._called("apply", order, preview, world))

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """Its look afterwards, with every folder read-only."""
        return turns.to_finding(await self._called("verify", order, preview, world))

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Its way back."""
        return _says(await self._called("undo", order, preview, world))

    async def _called(
        self, call: str, order: Order, preview: Preview | None, world: World
    ) -> Json:
        """Turn after turn, until it is done."""
        program = self._for(call, order.target)
        turn: dict[str, object] = {
            "entry": self._package.entry,
            "call": call,
            "order": turns.of_order(order),
            "preview": turns.of_preview(preview) if preview else None,
            "places": {name: str(path) for name, path in self._places(order.target).items()},
        }
        answers: list[Json] = []
        for _ in range(MOST_TURNS):
            told = await self._one_turn(program, {**turn, "answers": answers})
            if "ask" not in told:
                return _done(told)
            ask = told["ask"]
            answers.append({"ask": ask, "answer": await self._answer(ask, call, order, world)})
        raise BadAnswer(f"{self.spec.name} asks more than {MOST_TURNS} things.")

    async def _one_turn(self, program: Program, turn: Json) -> Json:
        if self._sandbox is None:
            raise HouseError(f"{self.spec.name} was listed, not opened.")
        is_first = not turn["answers"]
        try:
            return await _turn(program, turn, self._sandbox)
        except NotBegun as error:
            if is_first:
                raise
            raise Unreachable(str(error)) from error

    def _for(self, call: str, target: Entity) -> Program:
        """A program that sees the folders of the target, and changes them only to change."""
        places = self._places(target)
        given = self._given.get(target, Given())
        mounts = [
            Mount(path=path, writable=call in turns.CHANGING and self._writes(name))
            for name, path in places.items()
        ]
        return _program(self._package, call, self.spec.deadline_s, mounts=mounts, user=given.user)

    def _places(self, target: Entity) -> Mapping[str, Path]:
        """The folder of each declared place. Raises `BadInput` when the file names none."""
        given = self._given.get(target, Given()).places
        absent = sorted(set(self._needs.places) - set(given))
        if absent:
            raise BadInput(
                f"{self.spec.name} needs the folder {', '.join(absent)} of {target}.",
                hint=f"Name it in the targets file, under `actions`, `{self.spec.name}`.",
            )
        return {name: given[name] for name in sorted(self._needs.places)}

    def _writes(self, place: str) -> bool:
        return self._needs.places[place] is Access.WRITE

    async def _answer(self, ask: object, call: str, order: Order, world: World) -> Json:
        """Ask a way on its behalf, if it may be asked. Raises `BadAnswer` when it may not."""
        asked = ask if isinstance(ask, dict) else {}
        kind, verb = asked.get("kind"), str(asked.get("verb"))[:60]
        if asked.get("target") != str(order.target):
            raise BadAnswer(f"{self.spec.name} asks for another target than its order's.")
        if verb not in self._needs.verbs:
            raise BadAnswer(f"{self.spec.name} asks for {verb!r}, which it does not declare.")
        if kind not in ("look", "send") or (kind == "send" and call not in turns.CHANGING):
            raise BadAnswer(f"{self.spec.name} would change something in its {call}.")
        try:
            values = turns.to_values(asked.get("values"))
        except TypeError as error:
            raise BadAnswer(f"{self.spec.name} gives {verb} what is no value: {error}.") from error
        try:
            way = world.reach(order.target, verb)
            if kind == "look":
                return turns.of_found(await way.look(order.target, verb, values))
            within_s = self.spec.deadline_s
            return turns.of_reply(await way.send(order.target, verb, values, deadline_s=within_s))
        except tuple(ERRORS.values()) as error:
            return {"error": type(error).__name__, "message": str(error)}


def _program(
    package: Package, call: str, within_s: float, *, mounts: Sequence[Mount] = (), user: str = ""
) -> Program:
    return Program(
        # Each call is counted by itself: a used-up quota keeps no undo away.
        name=f"action.{package.name}.{call}",
        argv=package.argv,
        environment=_ENVIRONMENT,
        mounts=(*package.mounts, *mounts),
        limits=Limits(memory_bytes=MEMORY_BYTES, wall_s=within_s),
        quota=QUOTA,
        user=user,
    )


async def _turn(program: Program, turn: Json, sandbox: Sandbox) -> Json:
    """One run. Raises `NotBegun` when it was refused, `BadAnswer` for no answer."""
    ran = await sandbox.run(replace(program, stdin=json.dumps(turn).encode()))
    if ran.ending is Ending.REFUSED:
        raise NotBegun(f"{program.name} was not run: {ran.output}.")
    if ran.ending is Ending.TIMED_OUT:
        raise Unreachable(f"{program.name} took longer than {program.limits.wall_s:g} s.")
    mark, line = _last_line(ran)
    if not ran.well or not mark:
        how = f"{ran.ending} {ran.code}" if ran.ending is not Ending.EXITED else f"code {ran.code}"
        words = redact(ran.output).strip()[-_LAST_WORDS:]
        raise BadAnswer(f"{program.name} ended with {how}: {words or 'it said nothing'}")
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"{program.name} ended with what is no JSON.") from error
    return told if isinstance(told, dict) else {}


def _last_line(ran: Ran) -> tuple[str, str]:
    """(the mark or nothing, what comes behind it)."""
    _, mark, line = ran.output.rpartition(f"\n{turns.MARK}")
    return mark, line


def _done(told: Json) -> Json:
    """What a turn ended with. Raises the error that it ended with."""
    if "error" in told:
        kind = ERRORS.get(str(told["error"]), BadAnswer)
        raise kind(redact(str(told.get("message")))[: turns.LONGEST_SAID])
    done = told.get("done")
    return done if isinstance(done, dict) else {"says": done}


def _says(told: Json) -> str:
    says = told.get("says")
    if not isinstance(says, str):
        raise BadAnswer("It did something, and does not say what.")
    return redact(says)[: turns.LONGEST_SAID]


def _needs_faults(needs: Needs) -> list[str]:
    return [] if needs.holds.strip() else ["it does not say what it holds"]
