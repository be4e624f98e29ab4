"""injector: begins and ends faults at their times, and writes down what really happened."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from opsmith_lab.faults import orders as told
from opsmith_lab.faults.fault import Fault, path_of
from opsmith_lab.faults.table import FAULTS
from opsmith_lab.layout import SERVICES
from opsmith_lab.rollouts import Rollouts
from opsmith_lab.supervisor import Supervisor

STRONGEST = 100.0
LONGEST_S = 86400.0


class NotPossible(Exception):
    """There is no such fault, or it makes no sense for that target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault that was asked for: begins `after_s` from now, lasts `for_s`."""

    fault: Fault
    target: str
    strength: float
    after_s: float
    for_s: float


@dataclass(slots=True)
class Injector:
    """Keeps the orders to each process and the record of injections."""

    supervisor: Supervisor
    rollouts: Rollouts
    orders: dict[str, list[told.Order]] = field(default_factory=dict)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    record: list[dict[str, object]] = field(default_factory=list)

    def schedule(self, injection: Injection) -> dict[str, object]:
        """Take on one injection; it is written down at once and runs by itself."""
        entry: dict[str, object] = {
            "fault": injection.fault.name,
            "entity": injection.target,
            "kind": injection.fault.kind,
            "alert": injection.fault.alert,
            "path": path_of(injection.target),
            "strength": injection.strength,
            "asked_at": _now(),
            "after_s": injection.after_s,
            "for_s": injection.for_s,
            "began_at": None,
            "ended_at": None,
        }
        self.record.append(entry)
        self._write()
        task = asyncio.get_running_loop().create_task(self._run(injection, entry))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return entry

    async def _run(self, injection: Injection, entry: dict[str, object]) -> None:
        await asyncio.sleep(injection.after_s)
        entry["began_at"] = _now()
        self._write()
        order = await self._begin(injection)
        await asyncio.sleep(injection.for_s)
        # Written before the fault is undone: a recording ends here and shows no healing.
        entry["ended_at"] = _now()
        self._write()
        await self._end(injection, order)

    async def _begin(self, injection: Injection) -> told.Order:
        """Give the order, roll out what the fault needs; the order, to take it back."""
        fault, name = injection.fault, injection.target.partition(":")[2]
        version = self.supervisor.versions[name] if fault.in_code else ""
        if fault.deploys:
            version = _next_minor(self.supervisor.versions[name])
        order = told.Order(
            fault=fault.name,
            target=injection.target,
            strength=injection.strength,
            version=version,
        )
        self._order(order, wanted=True)
        if fault.deploys:
            await self.rollouts.deploy(name, version)
        if fault.configures is not None:
            values = fault.configures(SERVICES[name], injection.strength)
            await self.rollouts.configure(name, values)
        return order

    async def _end(self, injection: Injection, order: told.Order) -> None:
        """Undo it, unless somebody has done so already."""
        fault, name = injection.fault, injection.target.partition(":")[2]
        self._order(order, wanted=False)
        if fault.deploys and self.supervisor.versions[name] == order.version:
            await self.rollouts.roll_back(name)
        if fault.configures is not None:
            values = fault.configures(SERVICES[name], injection.strength)
            if values.items() <= self.rollouts.configured[name][-1].items():
                await self.rollouts.take_back(name)

    def reconnect(self, edge: str) -> bool:
        """The proxy of an edge starts afresh and forgets what ails it; whether anything did."""
        ailing = [one for one in self.orders.get("network", []) if one.target == edge]
        for order in ailing:
            self._order(order, wanted=False)
        return bool(ailing)

    def _order(self, order: told.Order, *, wanted: bool) -> None:
        kind, _, name = order.target.partition(":")
        process = "network" if kind == "edge" else name
        kept = [one for one in self.orders.get(process, []) if one != order]
        self.orders[process] = [*kept, order] if wanted else kept
        folder = self.supervisor.lab.data / "faults"
        told.write(folder / f"{process}.json", self.orders[process])

    def _write(self) -> None:
        lines = b"".join(orjson.dumps(entry) + b"\n" for entry in self.record)
        (self.supervisor.lab.data / "injections.jsonl").write_bytes(lines)


def injection(
    name: str, *, target: str | None, strength: float, after_s: float, for_s: float
) -> Injection:
    """Check what is asked for. Raises `NotPossible` with what would be possible."""
    if name not in FAULTS:
        raise NotPossible(f"there is no fault {name[:60]!r}; there are {', '.join(FAULTS)}.")
    fault = FAULTS[name]
    chosen = target or fault.target
    if chosen not in fault.targets:
        raise NotPossible(
            f"{name} cannot befall {chosen[:80]!r}; it can {', '.join(fault.targets)}."
        )
    if not 0 < strength <= STRONGEST:
        raise NotPossible(f"a strength is above 0 and at most {STRONGEST}.")
    if not (0 <= after_s <= LONGEST_S and 0 < for_s <= LONGEST_S):
        raise NotPossible("a fault begins within a day and lasts at most a day.")
    return Injection(fault=fault, target=chosen, strength=strength, after_s=after_s, for_s=for_s)


def _next_minor(version: str) -> str:
    major, minor, _ = version.split(".")
    return f"{major}.{int(minor) + 1}.0"


def _now() -> str:
    return datetime.now(UTC).isoformat()
