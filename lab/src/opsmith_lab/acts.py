"""acts: what an operator may do to the running shop, one entry an action, each safe to repeat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import redis.asyncio as valkey

from opsmith_lab import settings
from opsmith_lab.layout import SERVICES, STORES, edges, entity
from opsmith_lab.rollouts import Rollouts
from opsmith_lab.supervisor import Supervisor

Values = Mapping[str, object]
Act = Callable[[str, Values], Awaitable[str]]
# Processor time and memory of a service can be set between these.
CORES = (0.05, 4.0)
MEMORY_MB = (64, 2048)


class NotAnAct(ValueError):
    """There is no such action, or not for that entity; the message says what there is."""


@dataclass(slots=True)
class Acts:
    """Carries out actions on the processes of one supervisor.

    reconnect: starts the proxy of an edge afresh; whether anything ailed it.
    """

    supervisor: Supervisor
    rollouts: Rollouts
    reconnect: Callable[[str], bool] = lambda _: False
    reconnected: dict[str, int] = field(default_factory=dict)

    async def do(self, target: str, action: str, values: Values) -> dict[str, object]:
        """Do one action; what it did, or that there was nothing to do.

        Raises `NotAnAct` for an action that the entity does not know, or wrong values.
        """
        known = self.possible(target)
        if action not in known:
            offered = ", ".join(known) or "nothing"
            raise NotAnAct(f"{target[:80]!r} does not know {action[:40]!r}; it knows {offered}.")
        told = await known[action](target.partition(":")[2], values)
        return {"entity": target, "action": action, "did": told}

    def possible(self, target: str) -> dict[str, Act]:
        """The actions that an entity knows, by name."""
        kind, _, name = target.partition(":")
        restart: dict[str, Act] = {"restart": self._restart}
        if kind == "service" and name in SERVICES:
            known: dict[str, Act] = {
                **restart,
                "rollback": self._roll_back,
                "deploy": self._put_back,
                "configure": self._configure,
                "rollback-config": self._take_back,
                "limit": self._limit,
            }
            return {**known, "clear-disk": self._clear} if SERVICES[name].volume_mb else known
        if kind == "edge" and tuple(name.split("->")) in set(edges()):
            return {"restart": self._reconnect}
        if kind == "cache" and name in STORES:
            return {**restart, "flush": self._flush}
        return restart if target in map(entity, STORES) else {}

    def state(self, target: str) -> dict[str, object]:
        """What is known of one entity. Raises `NotAnAct` for one that is not of the shop."""
        name = target.partition(":")[2]
        if target.startswith("edge:") and self.possible(target):
            return self._of_edge(target)
        child = self.supervisor.children.get(name)
        if child is None or target != entity(name):
            raise NotAnAct(f"the shop has no {target[:80]!r}.")
        found: dict[str, object] = {
            "entity": target,
            "running": child.process.poll() is None,
            "restarts": child.restarts,
            "actions": list(self.possible(target)),
        }
        if name in SERVICES:
            found |= self._of_service(name)
        return found

    def _of_edge(self, target: str) -> dict[str, object]:
        return {
            "entity": target,
            "running": True,
            "restarts": self.reconnected.get(target, 0),
            "actions": list(self.possible(target)),
        }

    def _of_service(self, name: str) -> dict[str, object]:
        plan = SERVICES[name]
        cores, memory_mb = self.supervisor.quota(name)
        folder = self.supervisor.lab.data / "volumes" / name
        return {
            "version": self.supervisor.versions[name],
            "settings": {**settings.defaults(plan), **self.rollouts.configured[name][-1]},
            "cores": cores,
            "memory_mb": memory_mb,
            "volume_mb": plan.volume_mb,
            "volume_used_bytes": sum(
                path.stat().st_size for path in folder.glob("*") if path.is_file()
            ),
        }

    async def _restart(self, name: str, values: Values) -> str:
        """Once for each `after`: the number of restarts that the caller last saw."""
        seen = values.get("after")
        count = self.supervisor.children[name].restarts
        if seen is not None and str(seen) != str(count):
            return f"nothing: it was restarted meanwhile ({count} times in all)"
        await self.supervisor.restart(name)
        return "restarted"

    async def _reconnect(self, name: str, values: Values) -> str:
        """Once for each `after`, as `_restart`."""
        target = f"edge:{name}"
        count = self.reconnected.get(target, 0)
        seen = values.get("after")
        if seen is not None and str(seen) != str(count):
            return f"nothing: it was restarted meanwhile ({count} times in all)"
        self.reconnected[target] = count + 1
        self.reconnect(target)
        return "restarted"

    async def _put_back(self, name: str, values: Values) -> str:
        version = str(values.get("version", ""))
        if version == self.supervisor.versions[name]:
            return "nothing: that version runs"
        if not await self.rollouts.put_back(name, version):
            raise NotAnAct(f"{name} never ran {version[:40]!r}; name a number that it did.")
        return f"deployed {version}"

    async def _roll_back(self, name: str, values: Values) -> str:
        if str(values.get("version", "")) == self.supervisor.versions[name]:
            return "nothing: that version runs"
        version = await self.rollouts.roll_back(name)
        return f"rolled back to {version}" if version else "nothing: no version came before"

    async def _configure(self, name: str, values: Values) -> str:
        wanted = {key: settings.checked(key, value) for key, value in values.items()}
        if not wanted:
            raise NotAnAct(f"name a setting: {', '.join(settings.KNOWN)}.")
        before = len(self.rollouts.configured[name])
        await self.rollouts.configure(name, wanted)
        changed = len(self.rollouts.configured[name]) > before
        return "set" if changed else "nothing: it is set so"

    async def _take_back(self, name: str, values: Values) -> str:
        del values
        settled = await self.rollouts.take_back(name)
        return "nothing: no setting came before" if settled is None else "took the settings back"

    async def _limit(self, name: str, values: Values) -> str:
        cores, memory_mb = self.supervisor.quota(name)
        cores = _within(values, "cores", CORES, cores)
        memory_mb = int(_within(values, "memory_mb", MEMORY_MB, memory_mb))
        self.supervisor.allow(name, cores=cores, memory_mb=memory_mb)
        return f"may use {cores:g} cores and {memory_mb:g} MB"

    async def _clear(self, name: str, values: Values) -> str:
        """All but the journal, which is the service's own work."""
        del values
        freed = 0
        for path in (self.supervisor.lab.data / "volumes" / name).iterdir():
            if path.is_file() and path.name != "journal":
                freed += path.stat().st_size
                path.unlink()
        return f"freed {freed} bytes" if freed else "nothing: only the journal is there"

    async def _flush(self, name: str, values: Values) -> str:
        del values
        async with valkey.Redis(host="127.0.0.1", port=self.supervisor.lab.ports[name]) as client:
            await client.flushall()
        return "flushed"


def _within(values: Values, name: str, bounds: tuple[float, float], now: float) -> float:
    least, most = bounds
    try:
        wanted = float(str(values.get(name, now)))
    except ValueError:
        wanted = -1.0
    if not least <= wanted <= most:
        raise NotAnAct(f"{name} is a number from {least:g} to {most:g}.")
    return wanted
