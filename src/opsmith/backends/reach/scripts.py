"""Scripts that an operator registered for a target, run in the sandbox.

An order names a script and its parameters. Which file that is, what it must hash to, what the
parameters are and what it may touch stands in the targets file.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jsonschema import Draft7Validator

from opsmith.errors import BadAnswer, BadInput, NotBegun, NotFound, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Value, Values
from opsmith.nouns.redaction import redact
from opsmith.seams.reach import Found, Reply
from opsmith.seams.sandbox import Ending, Limits, Mount, Program, Quota, Ran, Sandbox

RUN = "script.run"
VERIFY = "script.verify"
UNDO = "script.undo"
VERBS = frozenset({RUN, VERIFY, UNDO})
# A script is read into memory, sealed, and copied into the sandbox.
LARGEST_SCRIPT = 1_000_000
# What of an output is told in a plan; the rest is in the archive.
_TOLD = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A file and the SHA-256 (hex) that it must have."""

    file: Path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A script as the operator registered it.

    look: tells the state that a plan is made for, and changes nothing. verify: ends with 0 when
    the change is there. undo: takes it back. irreversible: why nothing does, empty when it does.
    parameters: JSON Schema of them. arguments: which are given as words too, in this order; all
    are given as JSON on the standard input.
    """

    run: Pinned
    parameters: Mapping[str, object]
    look: Pinned | None = None
    verify: Pinned | None = None
    undo: Pinned | None = None
    irreversible: str = ""
    risk: str = "change"
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    limits: Limits = field(default_factory=Limits)
    quota: Quota = field(default_factory=Quota)
    user: str = ""

    @property
    def parts(self) -> tuple[Pinned, ...]:
        """All its files."""
        return tuple(one for one in (self.run, self.look, self.verify, self.undo) if one)


class ScriptsReach:
    """Reaches what registered scripts reach. scripts: by target, then by name."""

    def __init__(
        self, scripts: Mapping[Entity, Mapping[str, Registered]], *, sandbox: Sandbox
    ) -> None:
        self._scripts = dict(scripts)
        self._sandbox = sandbox

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether scripts are registered for this target."""
        return verb in VERBS and bool(self._scripts.get(target))

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """The digests of its files and, where it has a look script, what that says."""
        name, script, given = self._asked(target, verb, values)
        digests = [part.sha256 for part in script.parts]
        for part in script.parts:
            await asyncio.to_thread(_content, part)
        state = ""
        if script.look:
            ran = await self._sandbox.run(
                await _program(script, script.look, target=target, name=name, given=given)
            )
            state = _well(ran, f"The look of {name}").output
        told = hashlib.sha256("\n".join([*digests, state]).encode()).hexdigest()
        facts: dict[str, Value] = {
            "sha256": script.run.sha256,
            "risk": script.risk,
            "irreversible": script.irreversible,
            "verifies": script.verify is not None,
            "state": redact(state)[-_TOLD:],
        }
        return Found(version=told, facts=facts)

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Run the script, or its verify or undo.

        Raises `BadAnswer` when it ends badly, `NotBegun` when it was not even started.
        """
        name, script, given = self._asked(target, verb, values)
        part = {RUN: script.run, VERIFY: script.verify, UNDO: script.undo}[verb]
        if part is None:
            raise BadInput(f"The script {name} of {target} has no {verb.partition('.')[2]}.")
        program = await _program(script, part, target=target, name=name, given=given)
        try:
            async with asyncio.timeout(deadline_s):
                ran = await self._sandbox.run(program)
        except BadInput as error:
            raise NotBegun(str(error)) from error
        except TimeoutError as error:
            raise Unreachable(f"{verb} on {target} took longer than {deadline_s:g} s.") from error
        ran = _well(ran, f"{verb} {name}")
        says = f"{name} ended well in {ran.usage.wall_s:.1f} s ({ran.held[0] if ran.held else ''})"
        facts: dict[str, Value] = {
            "output": redact(ran.output)[-_TOLD:],
            "log": ran.log,
            "held": ran.held,
        }
        return Reply(says=says, facts=facts)

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _asked(
        self, target: Entity, verb: str, values: Values
    ) -> tuple[str, Registered, dict[str, object]]:
        """The script that is meant, with its parameters. Raises `BadInput`, `NotFound`."""
        if verb not in VERBS:
            raise BadInput(f"Scripts know no {verb[:60]!r}.")
        known, name = self._scripts.get(target, {}), str(values.get("script", ""))
        if name not in known:
            raise NotFound(
                f"The targets file has no script {name[:60]!r} of {target}.",
                hint=f"It has {', '.join(sorted(known)) or 'none'}.",
            )
        script = known[name]
        return name, script, _parameters(str(values.get("parameters", "{}")), script, name)


def _parameters(text: str, script: Registered, name: str) -> dict[str, object]:
    try:
        given = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The parameters of {name} are no JSON object: {error}.") from error
    errors = sorted(Draft7Validator(dict(script.parameters)).iter_errors(given), key=str)
    if errors or not isinstance(given, dict):
        says = errors[0].message[:300] if errors else "not an object"
        raise BadInput(f"The parameters of {name}: {says}.")
    for word in _words(given, script):
        if word.startswith("-") and not _is_number(word):
            raise BadInput(f"The parameters of {name}: {word[:60]!r} looks like an option.")
        if "\0" in word:
            raise BadInput(f"The parameters of {name} hold a NUL character.")
    return given


def _words(given: Mapping[str, object], script: Registered) -> list[str]:
    values = [given.get(one, "") for one in script.arguments]
    return [one if isinstance(one, str) else json.dumps(one) for one in values]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is no number")


async def _program(
    script: Registered, part: Pinned, *, target: Entity, name: str, given: dict[str, object]
) -> Program:
    is_looking = part is script.look or part is script.verify
    content = await asyncio.to_thread(_content, part)
    return Program(
        # Looking and undoing are counted by themselves: a used-up quota keeps no undo away.
        name=f"script.{name}{_which(script, part)}",
        argv=("/script/run", *_words(given, script)),
        stdin=json.dumps({"target": str(target), "parameters": given}).encode(),
        files={"run": content},
        environment=script.environment,
        mounts=tuple(
            Mount(path=one.path, writable=one.writable and not is_looking) for one in script.mounts
        ),
        limits=script.limits,
        quota=script.quota,
        user=script.user,
    )


def _which(script: Registered, part: Pinned) -> str:
    named = {"look": script.look, "verify": script.verify, "undo": script.undo}
    return next((f".{word}" for word, one in named.items() if one is part), "")


def _content(part: Pinned) -> bytes:
    """What runs is what was hashed: the file is read once and its bytes go into the sandbox."""
    try:
        with part.file.open("rb") as opened:
            content = opened.read(LARGEST_SCRIPT + 1)
    except OSError as error:
        raise NotFound(f"{part.file} cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_SCRIPT:
        raise BadInput(f"{part.file} is larger than {LARGEST_SCRIPT} bytes.")
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise BadInput(
            f"{part.file} is not what was registered: its SHA-256 is another.",
            hint="Look at it, then register its new `sha256sum` in the targets file.",
        )
    return content


def _well(ran: Ran, what: str) -> Ran:
    if ran.ending is Ending.REFUSED:
        raise NotBegun(f"{what} was not run: {ran.output}.")
    if not ran.well:
        how = f"{ran.ending} {ran.code}" if ran.ending is not Ending.EXITED else f"code {ran.code}"
        told = redact(ran.output).strip()[-_TOLD:]
        raise BadAnswer(f"{what} ended with {how}: {told or 'it said nothing'}")
    return ran
