"""Hosts over SSH: commands that the targets file registers, one host or a group of them.

The key of every host must stand in `known_hosts`; one that does not is never taken on trust.
Source: RFC 4254, section 6.5: a command is one string, which the user's shell at the other end
reads; so each word is quoted for a POSIX shell.
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opsmith.backends.reach.ssh_commands import Command, Words, line
from opsmith.errors import BadAnswer, BadInput, MissingExtra, NotFound, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.seams.reach import Found, Reply, in_time

try:
    import asyncssh
except ImportError as error:
    raise MissingExtra(
        "Reaching hosts over SSH needs its client.", hint="pip install 'opsmith[ssh]'"
    ) from error

READ = "ssh.read"
RUN = "ssh.run"
CHANGE = "ssh.change"
CHECK = "ssh.check"
UNDO = "ssh.undo"
RESTART = "service.restart"
COMMANDS = frozenset({READ, RUN, CHANGE, CHECK, UNDO})
CONNECT_S = 10.0
# sshd lets ten strangers wait at once (MaxStartups 10:30:100); each of ours is another host.
AT_ONCE = 10
# What a host says is read by a person; the rest is dropped, never kept in memory.
MOST_SAID_BYTES = 65_536
_TOLD = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SshHost:
    """How one host is reached. known_hosts: OpenSSH's form; the host's key must stand in it."""

    address: str
    user: str
    key_file: Path
    known_hosts: Path
    port: int = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class SshUnit:
    """A service that systemd runs on a host. prefix: words before `systemctl`, as `sudo -n`."""

    host: Entity
    unit: str
    prefix: Words = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one host answered. status: of the command, None when it did not end by itself."""

    host: Entity
    status: int | None
    text: str

    @property
    def told(self) -> str:
        first = " ".join(self.text.split())[:_TOLD]
        how = "was killed" if self.status is None else f"ended with {self.status}"
        return f"{self.host} {how}" + (f" ({first})" if first else "")


class SshReach:
    """Reaches hosts, groups of hosts, and the units on them."""

    def __init__(
        self,
        hosts: Mapping[Entity, SshHost],
        *,
        commands: Mapping[str, Command],
        groups: Mapping[Entity, Sequence[Entity]] | None = None,
        units: Mapping[Entity, SshUnit] | None = None,
    ) -> None:
        self._hosts = dict(hosts)
        self._commands = dict(commands)
        self._groups = {name: tuple(members) for name, members in (groups or {}).items()}
        self._units = dict(units or {})

    def carries(self, target: Entity, verb: str) -> bool:
        """Commands on hosts and groups; restarts of units."""
        if verb == RESTART:
            return target in self._units
        return verb in COMMANDS and (target in self._hosts or target in self._groups)

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """The words that would be run, and what the command's own `look` prints on each host."""
        if verb == RESTART:
            return await self._unit(target)
        hosts, command, words = self._ordered(target, verb, values)
        told = line(words, command, _given(values))
        seen: list[_Said] = []
        if command.look:
            asked = line(command.look, command, _given(values))
            seen = await self._all(hosts, asked, _at_once(values), stop=False)
            _raise_failed(seen)
        state = [f"{one.host} {one.text}" for one in seen]
        facts: Values = {
            "line": told,
            "hosts": tuple(map(str, hosts)),
            "undo": shlex.join(command.undo),
        }
        kept = [verb, told, *map(str, hosts), *state]
        return Found(version=_digest(kept), facts=facts, members=hosts)

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Run it on every host, in batches; after a batch in which one failed, no further one."""
        what = f"{verb} on {target}"
        if verb == RESTART:
            return await in_time(self._restart(target, values), deadline_s, what)
        hosts, command, words = self._ordered(target, verb, values)
        told = line(words, command, _given(values))
        work = self._all(hosts, told, _at_once(values), stop=verb != UNDO)
        said = await in_time(work, deadline_s, what)
        failed = [one for one in said if one.status != 0]
        left = hosts[len(said) :]
        says = "; ".join(one.told for one in said)
        if left:
            says += f"; not tried: {', '.join(map(str, left))}"
        facts = {
            "done": tuple(str(one.host) for one in said if one.status == 0),
            "failed": tuple(str(one.host) for one in failed),
            "left": tuple(map(str, left)),
        }
        return Reply(says=says, facts=facts)

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _ordered(
        self, target: Entity, verb: str, values: Values
    ) -> tuple[tuple[Entity, ...], Command, Words]:
        """The hosts, the command and the words of it that the verb means."""
        if verb not in COMMANDS:
            raise BadInput(f"SSH knows no {verb[:60]!r}.")
        hosts = self._groups.get(target) or ((target,) if target in self._hosts else ())
        if not hosts:
            raise NotFound(f"The targets file says of no SSH to {target}.")
        name = values.get("command")
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None:
            known = ", ".join(sorted(self._commands)) or "none"
            raise BadInput(f"There is no command {str(name)[:60]!r}; the file names {known}.")
        if verb == READ and command.changes:
            raise BadInput(f"The command {name} changes something; use {CHANGE} or {RUN}.")
        if verb in {CHANGE, UNDO} and not command.undo:
            raise BadInput(f"The command {name} has no undo; use {RUN}.")
        if verb == CHECK:
            return hosts, command, command.check
        return hosts, command, command.undo if verb == UNDO else command.argv

    async def _all(
        self, hosts: Sequence[Entity], told: str, at_once: int, *, stop: bool
    ) -> list[_Said]:
        """What each host said, in order; stop: not beyond a batch in which one failed."""
        said: list[_Said] = []
        for start in range(0, len(hosts), at_once):
            batch = hosts[start : start + at_once]
            said += await asyncio.gather(*(self._outcome(host, told) for host in batch))
            if stop and any(one.status != 0 for one in said):
                break
        return said

    async def _outcome(self, host: Entity, told: str) -> _Said:
        """As `_one`, with a host that cannot be reached as an outcome of its own."""
        try:
            return await self._one(host, told)
        except (BadInput, Unreachable) as error:
            return _Said(host=host, status=None, text=str(error))

    async def _one(self, host: Entity, told: str) -> _Said:
        """Run one line on one host. Raises `Unreachable`, `BadInput` for a key that is none."""
        way = self._hosts[host]
        try:
            async with asyncssh.connect(
                way.address,
                way.port,
                username=way.user,
                client_keys=[str(way.key_file)],
                known_hosts=str(way.known_hosts),
                config=None,
                agent_path=None,
                preferred_auth="publickey",
                connect_timeout=CONNECT_S,
                login_timeout=CONNECT_S,
            ) as opened:
                return await _run(opened, host, told)
        except asyncssh.HostKeyNotVerifiable as error:
            raise Unreachable(
                f"The key of {host} is not the one in {way.known_hosts.name}.",
                hint="Add it there once you have checked it by another way.",
            ) from error
        except asyncssh.PermissionDenied as error:
            raise BadInput(f"{host} does not let {way.user} in with this key.") from error
        except (asyncssh.Error, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{host} did not answer ({reason[:_TOLD]}).") from error
        except ValueError as error:
            raise BadInput(f"The key file or known_hosts of {host} cannot be read.") from error

    async def _unit(self, target: Entity) -> Found:
        unit = self._known_unit(target)
        asked = ["systemctl", "show", "-p", "ActiveState,InvocationID", "--", unit.unit]
        said = await self._one(unit.host, shlex.join(asked))
        told = dict(one.split("=", 1) for one in said.text.splitlines() if "=" in one)
        if said.status != 0 or not {"ActiveState", "InvocationID"} <= set(told):
            raise BadAnswer(f"systemctl: {said.told}.")
        run = told["InvocationID"] or told["ActiveState"]
        running = told["ActiveState"] == "active"
        return Found(version=run, facts={"restarts": run, "running": running})

    async def _restart(self, target: Entity, values: Values) -> Reply:
        unit = self._known_unit(target)
        after = values.get("after")
        if after is not None and (await self._unit(target)).version != after:
            return Reply(says=f"{unit.unit} was restarted already", facts={})
        words = [*unit.prefix, "systemctl", "restart", "--", unit.unit]
        said = await self._one(unit.host, shlex.join(words))
        if said.status != 0:
            raise BadAnswer(f"systemctl: {said.told}.")
        return Reply(says=f"restarted {unit.unit} on {unit.host}", facts={})

    def _known_unit(self, target: Entity) -> SshUnit:
        if target not in self._units:
            raise NotFound(f"The targets file names no unit of {target}.")
        return self._units[target]


async def _run(opened: asyncssh.SSHClientConnection, host: Entity, told: str) -> _Said:
    process = await opened.create_process(
        told, encoding=None, stdin=asyncssh.DEVNULL, stderr=asyncssh.STDOUT
    )
    said = bytearray()
    try:
        while block := await process.stdout.read(MOST_SAID_BYTES):
            said += block[: MOST_SAID_BYTES - len(said)]
        await process.wait_closed()
    finally:
        if process.exit_status is None:
            process.kill()
    return _Said(host=host, status=process.exit_status, text=said.decode(errors="replace"))


def _raise_failed(said: Sequence[_Said]) -> None:
    failed = [one.told for one in said if one.status != 0]
    if failed:
        raise BadAnswer(f"Looking failed: {'; '.join(failed)[:2000]}.")


def _given(values: Values) -> tuple[str, ...]:
    given = values.get("values", ())
    return given if isinstance(given, tuple) else (str(given),)


def _at_once(values: Values) -> int:
    most = values.get("at_once", AT_ONCE)
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= AT_ONCE:
        raise BadInput(f"at_once is a number of hosts from 1 to {AT_ONCE}.")
    return most


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()
