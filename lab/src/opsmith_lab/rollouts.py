"""rollouts: versions and settings of services, put out and taken back; each change on record."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import orjson

from opsmith_lab import settings
from opsmith_lab.layout import SERVICES
from opsmith_lab.supervisor import Supervisor

TOLD_WITHIN_S = 2.0


@dataclass(slots=True)
class Rollouts:
    """Changes services and tells of it: in `changes.jsonl`, and to `lab.changes_to` if set.

    deployed: the versions of each service so far, the running one last; the shop was there before
    the lab began, so that each has one to go back to. configured: its settings.
    """

    supervisor: Supervisor
    deployed: dict[str, list[str]] = field(
        default_factory=lambda: {
            name: [version_before(spec.version), spec.version] for name, spec in SERVICES.items()
        }
    )
    configured: dict[str, list[dict[str, int]]] = field(
        default_factory=lambda: {name: [{}] for name in SERVICES}
    )
    _taken_back: dict[str, set[str]] = field(default_factory=dict)

    async def deploy(self, name: str, version: str) -> None:
        """Restart a service with another version."""
        old = self.deployed[name][-1]
        if version == old:
            return
        self.deployed[name].append(version)
        summary = f"Deploy {name} from {old} to {version}"
        await self._tell(name, "deploy", summary, version=version)
        await self.supervisor.restart(name, version)

    async def put_back(self, name: str, version: str) -> bool:
        """Restart a service with a version that it ran before; False when it never did."""
        if version not in {*self.deployed[name], *self._taken_back.get(name, ())}:
            return False
        await self.deploy(name, version)
        return True

    async def roll_back(self, name: str) -> str | None:
        """Restart a service with the version before; which one, None when there is none."""
        if len(self.deployed[name]) == 1:
            return None
        old = self.deployed[name].pop()
        self._taken_back.setdefault(name, set()).add(old)
        version = self.deployed[name][-1]
        summary = f"Roll back {name} from {old} to {version}"
        await self._tell(name, "deploy", summary, version=version)
        await self.supervisor.restart(name, version)
        return version

    async def configure(self, name: str, values: Mapping[str, int]) -> None:
        """Restart a service with changed settings; the others stay as they are."""
        old = self.configured[name][-1]
        new = {**old, **values}
        if new == old:
            return
        self.configured[name].append(new)
        await self._settle(name, old, new, "Set")

    async def take_back(self, name: str) -> dict[str, int] | None:
        """Restart a service with its settings before; None when nothing was set."""
        if len(self.configured[name]) == 1:
            return None
        old = self.configured[name].pop()
        new = self.configured[name][-1]
        await self._settle(name, old, new, "Take back")
        return new

    async def _settle(
        self, name: str, old: Mapping[str, int], new: Mapping[str, int], verb: str
    ) -> None:
        plan = settings.defaults(SERVICES[name])
        parts = [
            f"{key} from {old.get(key, plan[key])} to {new.get(key, plan[key])}"
            for key in sorted({*old, *new})
            if old.get(key, plan[key]) != new.get(key, plan[key])
        ]
        settings.write(self.supervisor.lab, name, new)
        await self._tell(name, "config", f"{verb} {', '.join(parts) or 'nothing'} of {name}")
        await self.supervisor.restart(name)

    async def _tell(self, name: str, kind: str, summary: str, version: str | None = None) -> None:
        event = {
            "at": datetime.now(UTC).isoformat(),
            "entity": f"service:{name}",
            "kind": kind,
            "summary": summary,
            **({"version": version} if version else {}),
        }
        lab = self.supervisor.lab
        with (lab.data / "changes.jsonl").open("ab") as file:
            file.write(orjson.dumps(event) + b"\n")
        if lab.changes_to:
            with suppress(httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(TOLD_WITHIN_S), httpx.AsyncClient() as client:
                    await client.post(lab.changes_to, json=event)


def version_before(version: str) -> str:
    """The release that a service ran before `version`.

    >>> version_before("2.0.3"), version_before("1.1.0")
    ('2.0.2', '1.0.9')
    """
    major, minor, patch = map(int, version.split("."))
    if patch:
        return f"{major}.{minor}.{patch - 1}"
    return f"{major}.{minor - 1}.9" if minor else f"{major - 1}.9.9"
