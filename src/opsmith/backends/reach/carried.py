"""Files reached by a carrier: a process of its own for each verb, shut in with that one place.

A bug in what reads and writes files can then change nothing but the folder that the verb is for,
and a look can change nothing at all.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from opsmith.backends.reach.carrier_process import Told, carry, facts, failure
from opsmith.backends.reach.files import PATCH, SET, FilePlace, FilesReach
from opsmith.backends.reach.setting_text import Format
from opsmith.errors import OpsmithError, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.seams.reach import Found, Reply


class CarriedFiles:
    """As `FilesReach`, but nothing is read or written in this process.

    command: starts the carrier, a process that calls `serve`.
    """

    def __init__(
        self,
        places: Mapping[Entity, FilePlace],
        *,
        clock: Callable[[], datetime],
        patches: Path,
        command: tuple[str, ...],
    ) -> None:
        self._places = dict(places)
        self._known = FilesReach(places, clock=clock, patches=patches)
        self._clock = clock
        self._patches = patches
        self._command = command

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the targets file names what the verb needs of this target."""
        return self._known.carries(target, verb)

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """Look, in a carrier that can change nothing."""
        told = await self._ask(target, verb, values, deadline_s=None)
        return Found(
            version=str(told["version"]), facts=facts(told["facts"]), owner=str(told["owner"])
        )

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Do it, in a carrier that can change the one place. Raises `Unreachable` when late."""
        told = await self._ask(target, verb, values, deadline_s=deadline_s)
        return Reply(says=str(told["says"]), facts=facts(told["facts"]))

    async def aclose(self) -> None:
        """No carrier outlives its verb."""

    async def _ask(
        self, target: Entity, verb: str, values: Values, *, deadline_s: float | None
    ) -> Told:
        self._patches.mkdir(parents=True, exist_ok=True)
        order = {
            "place": _told(self._places.get(target)),
            "patches": str(self._patches),
            "now": self._clock().isoformat(),
            "target": str(target),
            "verb": verb,
            "values": dict(values),
            "deadline_s": deadline_s,
        }
        return await carry(self._command, order, deadline_s=deadline_s)


def serve(enclose: Callable[..., object], *, packages: str) -> None:
    """Be the carrier: read an order, shut this process in, do it, write the answer.

    enclose: shuts this process in, given what may be `seen` and what `changed`; `OSError` if not.
    """
    order = json.load(sys.stdin)
    seen, changed = changes(order)
    # What an interpreter reads when it imports something late.
    own = dict.fromkeys(("/usr", "/lib", "/lib64", packages, sys.prefix, sys.base_prefix))
    try:
        enclose(seen=[*(one for one in own if Path(one).exists()), *seen], changed=changed)
    except OSError as error:
        why = f"Nothing was done, for the carrier cannot be confined: {error.strerror}."
        told = failure(Unreachable(why))
    else:
        told = asyncio.run(answer(order))
    sys.stdout.write(json.dumps(told))


def changes(order: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """(folders that an order reads, folders that it may change); those that are there."""
    place, verb = _place(order), str(order["verb"])
    own = place.config.parent if verb in {SET, PATCH} and place.config else place.logs
    folders = [own] if own else []
    read = [*folders, *([place.repository] if place.repository else [])]
    if order["deadline_s"] is None:
        folders = []
    elif verb == PATCH:
        folders = [Path(str(order["patches"]))]
    return [str(one) for one in read if one.is_dir()], [
        str(one) for one in folders if one.is_dir()
    ]


def _there(folders: list[Path]) -> list[str]:
    return [str(one) for one in folders if one.is_dir()]


async def answer(order: Mapping[str, object]) -> Told:
    """What the carrier does with an order, once it is shut in."""
    target, verb = Entity.parse(str(order["target"])), str(order["verb"])
    now = datetime.fromisoformat(str(order["now"]))
    places = {target: _place(order)} if order["place"] else {}
    reach = FilesReach(places, clock=lambda: now, patches=Path(str(order["patches"])))
    values, deadline_s = facts(order["values"]), order["deadline_s"]
    try:
        if not isinstance(deadline_s, int | float):
            found = await reach.look(target, verb, values)
            return {"version": found.version, "facts": dict(found.facts), "owner": found.owner}
        reply = await reach.send(target, verb, values, deadline_s=deadline_s)
    except OpsmithError as error:
        return failure(error)
    return {"says": reply.says, "facts": dict(reply.facts)}


def _told(place: FilePlace | None) -> dict[str, str | None] | None:
    if place is None:
        return None
    return {
        "config": str(place.config) if place.config else None,
        "form": str(place.form),
        "owner": place.owner,
        "repository": str(place.repository) if place.repository else None,
        "logs": str(place.logs) if place.logs else None,
        "pattern": place.pattern,
    }


def _place(order: Mapping[str, object]) -> FilePlace:
    told = order["place"]
    if not isinstance(told, dict):
        return FilePlace()
    paths = {
        name: Path(told[name]) if told[name] else None for name in ("config", "repository", "logs")
    }
    return FilePlace(
        config=paths["config"],
        form=Format(told["form"]),
        owner=told["owner"],
        repository=paths["repository"],
        logs=paths["logs"],
        pattern=told["pattern"],
    )
