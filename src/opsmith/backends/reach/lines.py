"""What is reached over a connection, reached by a carrier: a process of its own for each verb.

It can see the files that the way needs, change none, start nothing and make no socket; opsmith
makes its connections, to the addresses of the target and to no other.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Protocol

from opsmith.backends.reach.carrier_process import Told, facts, failure
from opsmith.backends.reach.doors import Address, LineLoop, ask_at, door, stand_in
from opsmith.backends.reach.warm_carrier import WarmCarrier, fork_for_each
from opsmith.errors import OpsmithError, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.seams.reach import Found, Reach, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a carrier is told of one target, and what it may reach and read for it.

    told: what makes the way in there, as JSON has it. seen: what of this machine it reads.
    secrets: files that it reads although they are not for everybody. changed: folders that it may
    write to when it does more than look.
    """

    told: Mapping[str, object]
    addresses: Collection[Address]
    seen: Collection[str] = ()
    secrets: Collection[str] = ()
    changed: Collection[str] = ()


class Places(Protocol):
    """Which verbs a way carries, and what its carrier is told of a target."""

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the way leads to `target` and carries `verb`."""

    def place(self, target: Entity, verb: str) -> Place:
        """What the carrier is told; of a target that the way does not know, that it is none."""


class CarriedLines:
    """A way whose verbs are done in a carrier.

    way: its name there. command: starts the carrier, a process that calls `serve`.
    """

    def __init__(
        self, way: str, places: Places, *, clock: Callable[[], datetime], command: tuple[str, ...]
    ) -> None:
        self._places = places
        self._clock = clock
        self._carrier = WarmCarrier((*command, way))

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the targets file names what the verb needs of this target."""
        return self._places.carries(target, verb)

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """Look, in a carrier."""
        told = await self._ask(target, verb, values, deadline_s=None)
        members = told.get("members")
        return Found(
            version=str(told.get("version")),
            facts=facts(told.get("facts")),
            owner=str(told.get("owner")),
            members=tuple(map(Entity.parse, members)) if isinstance(members, list) else (),
        )

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Do it, in a carrier. Raises `Unreachable` when late."""
        told = await self._ask(target, verb, values, deadline_s=deadline_s)
        return Reply(says=str(told.get("says")), facts=facts(told.get("facts")))

    async def aclose(self) -> None:
        """No carrier outlives its verb; what forks them ends here."""
        self._carrier.close()

    async def _ask(
        self, target: Entity, verb: str, values: Values, *, deadline_s: float | None
    ) -> Told:
        # A program may be asked for a token.
        place = await asyncio.to_thread(self._places.place, target, verb)
        order = {
            "place": dict(place.told),
            "seen": list(place.seen),
            "secrets": list(place.secrets),
            "changed": [] if deadline_s is None else list(place.changed),
            "now": self._clock().isoformat(),
            "target": str(target),
            "verb": verb,
            "values": dict(values),
            "deadline_s": deadline_s,
        }
        async with door(place.addresses) as handle:
            return await self._carrier.ask(order, deadline_s=deadline_s, door=handle)


# Makes the way in a carrier: for a target, by what is told of it and the clock.
Build = Callable[[Entity, Mapping[str, object], Callable[[], datetime]], Reach]


def serve(enclose: Callable[..., object], build: Build, *, packages: str, handle: int) -> None:
    """Fork carriers, each of which shuts itself in with its order, does it and answers.

    enclose: given what may be `seen`, the `secrets` and what may be `changed`; `OSError` if not.
    """
    # What an interpreter and its libraries read when they import or connect late.
    own = ("/usr", "/lib", "/lib64", "/etc/ssl/certs", packages, sys.prefix, sys.base_prefix)

    def act(asked: bytes, entrance: int) -> bytes:
        order = json.loads(asked)
        ask_at(entrance)
        try:
            enclose(
                seen=_there([*dict.fromkeys(own), *order["seen"]]),
                secrets=_there(order["secrets"]),
                changed=_there(order["changed"]),
            )
        except OSError as error:
            why = f"Nothing was done, for the carrier cannot be confined: {error.strerror}."
            return json.dumps(failure(Unreachable(why))).encode()
        with asyncio.Runner(loop_factory=LineLoop) as runner:
            return json.dumps(runner.run(_answer(order, build))).encode()

    stand_in()
    fork_for_each(handle, act)


async def _answer(order: Mapping[str, object], build: Build) -> Told:
    target, verb = Entity.parse(str(order["target"])), str(order["verb"])
    values, deadline_s = facts(order["values"]), order["deadline_s"]
    began, now = monotonic(), datetime.fromisoformat(str(order["now"]))
    place = order["place"] if isinstance(order["place"], dict) else {}
    try:
        reach = build(target, place, lambda: now + timedelta(seconds=monotonic() - began))
        try:
            if not isinstance(deadline_s, int | float):
                return _told(await reach.look(target, verb, values))
            reply = await reach.send(target, verb, values, deadline_s=deadline_s)
        finally:
            await reach.aclose()
    except OpsmithError as error:
        return failure(error)
    return {"says": reply.says, "facts": dict(reply.facts)}


def _told(found: Found) -> Told:
    return {
        "version": found.version,
        "facts": dict(found.facts),
        "owner": found.owner,
        "members": list(map(str, found.members)),
    }


def _there(paths: list[str]) -> list[str]:
    return [one for one in paths if Path(one).exists()]
