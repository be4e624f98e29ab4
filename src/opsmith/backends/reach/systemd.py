"""Units of this machine, restarted by systemd over D-Bus: names and values, never a command.

Source: org.freedesktop.systemd1(5): `GetUnit`, `LoadUnit`, `RestartUnit`, signal `JobRemoved`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from opsmith.errors import BadAnswer, BadInput, MissingExtra, NotFound, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.seams.reach import Found, Reply, in_time

try:
    from dbus_fast import BusType, Message, MessageType, Variant
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import AuthError, InvalidAddressError
except ImportError as error:
    raise MissingExtra(
        "Reaching units of systemd needs a D-Bus client.",
        hint="pip install 'opsmith[systemd]'",
    ) from error

RESTART = "service.restart"
SYSTEMD = "org.freedesktop.systemd1"
MANAGER = "/org/freedesktop/systemd1"
MANAGER_FACE = f"{SYSTEMD}.Manager"
UNIT_FACE = f"{SYSTEMD}.Unit"
PROPERTIES = "org.freedesktop.DBus.Properties"
MATCH = f"type='signal',sender='{SYSTEMD}',interface='{MANAGER_FACE}',member='JobRemoved'"
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """state: `active`, `failed`... invocation: hexadecimal, another one after each start."""

    state: str
    invocation: str


class SystemdReach:
    """Restarts units. units: by target. address: of the bus, empty for the system's."""

    def __init__(self, units: Mapping[Entity, str], *, address: str = "") -> None:
        self._units = dict(units)
        self._address = address

    def carries(self, target: Entity, verb: str) -> bool:
        """Restarts of the targets whose unit the file names."""
        return verb == RESTART and target in self._units

    async def look(self, target: Entity, verb: str, values: Values) -> Found:  # noqa: ARG002
        """Which start of the unit this is, and whether it runs."""
        name = self._unit(target, verb)
        async with self._bus() as bus:
            seen = await in_time(_seen(bus, name), TIMEOUT_S, f"Looking at {name}")
        return _found(seen)

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Restart it, unless another start than the one of `after` is running already."""
        name = self._unit(target, verb)
        async with self._bus() as bus:
            return await in_time(_restart(bus, name, values), deadline_s, f"{verb} on {target}")

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _unit(self, target: Entity, verb: str) -> str:
        if verb != RESTART:
            raise BadInput(f"systemd knows no {verb[:60]!r}.")
        if target not in self._units:
            raise NotFound(f"The targets file names no unit of {target}.")
        return self._units[target]

    @asynccontextmanager
    async def _bus(self) -> AsyncIterator[MessageBus]:
        try:
            bus = MessageBus(bus_address=self._address or None, bus_type=BusType.SYSTEM)
            await in_time(bus.connect(), TIMEOUT_S, "Joining the bus")
        except (OSError, AuthError, InvalidAddressError, EOFError) as error:
            reason = str(error)[:200] or type(error).__name__
            raise Unreachable(f"The bus did not answer ({reason}).") from error
        try:
            yield bus
        finally:
            bus.disconnect()


async def _restart(bus: MessageBus, name: str, values: Values) -> Reply:
    after = values.get("after")
    if after is not None and _found(await _seen(bus, name)).version != after:
        return Reply(says=f"{name} was restarted already", facts={})
    ended: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def heard(message: Message) -> None:
        if message.member == "JobRemoved" and message.interface == MANAGER_FACE:
            _, job, _, result = message.body
            ended.put_nowait((job, result))

    await _called(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "AddMatch", [MATCH])
    bus.add_message_handler(heard)
    # systemd sends signals only to buses that asked for them.
    await _called(bus, SYSTEMD, MANAGER, "Subscribe", [])
    (job,) = await _called(bus, SYSTEMD, MANAGER, "RestartUnit", [name, "replace"])
    while True:
        which, result = await ended.get()
        if which == job:
            break
    if result != "done":
        raise BadAnswer(f"The restart of {name} ended with {result}.")
    return Reply(says=f"restarted {name}", facts={})


async def _seen(bus: MessageBus, name: str) -> _Unit:
    (path,) = await _called(bus, SYSTEMD, MANAGER, "LoadUnit", [name])
    load, state, invocation = [
        await _property(bus, str(path), key)
        for key in ("LoadState", "ActiveState", "InvocationID")
    ]
    if load == "not-found":
        raise NotFound(f"systemd knows no unit {name}.")
    if not isinstance(invocation, bytes):
        raise BadAnswer(f"systemd answers nonsense of {name}.")
    return _Unit(state=str(state), invocation=invocation.hex())


async def _property(bus: MessageBus, path: str, key: str) -> object:
    (told,) = await _called(bus, SYSTEMD, path, "Get", [UNIT_FACE, key])
    return told.value if isinstance(told, Variant) else told


def _found(unit: _Unit) -> Found:
    version = unit.invocation or unit.state
    return Found(version=version, facts={"restarts": version, "running": unit.state == "active"})


_FACES = {"Get": PROPERTIES, "AddMatch": "org.freedesktop.DBus"}


async def _called(
    bus: MessageBus, name: str, path: str, member: str, body: list[str]
) -> list[object]:
    """The answer's body. Raises `BadAnswer` with the error's name, `NotFound` for no such unit."""
    message = Message(
        destination=name,
        path=path,
        interface=_FACES.get(member, MANAGER_FACE),
        member=member,
        signature="s" * len(body),
        body=list(body),
    )
    try:
        answer = await bus.call(message)
    except (OSError, EOFError) as error:
        raise Unreachable("The bus was closed.") from error
    if answer.message_type is MessageType.ERROR:
        what = answer.error_name
        said = str(answer.body[0])[:200] if answer.body else ""
        kind = NotFound if what == f"{SYSTEMD}.NoSuchUnit" else BadAnswer
        raise kind(f"systemd refuses {member}: {what} {said}".rstrip() + ".")
    return list(answer.body)
