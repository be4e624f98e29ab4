"""supervisor: starts every process of the lab and keeps them alive."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

import asyncpg
import httpx
import orjson
import psutil

from opsmith_lab import servers
from opsmith_lab.governor import Governor
from opsmith_lab.layout import SERVICES, Lab

READY_WITHIN_S = 60.0
LOOK_EVERY_S = 0.1
# Long enough that a killed service is missed, far shorter than the back-off of an orchestrator.
RESTART_AFTER_S = 3.0
GRACE_S = 4.0

SCHEMA = Path(__file__).with_name("shop") / "schema.sql"


class NotStarted(Exception):
    """A process of the lab did not come up."""


@dataclass(slots=True, kw_only=True)
class Child:
    """One process that is wanted."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]
    quits_on: signal.Signals = signal.SIGTERM
    restarts: int = 0
    down_since: float | None = None


@dataclass(slots=True)
class Supervisor:
    """All processes of one lab, in the order in which they were started."""

    lab: Lab
    governor: Governor = field(default_factory=Governor)
    children: dict[str, Child] = field(default_factory=dict)
    versions: dict[str, str] = field(
        default_factory=lambda: {name: spec.version for name, spec in SERVICES.items()}
    )
    quotas: dict[str, tuple[float, int]] = field(
        default_factory=lambda: {
            name: (spec.cpu_cores, spec.memory_mb) for name, spec in SERVICES.items()
        }
    )
    ready: bool = False

    async def start(self) -> None:
        """Start everything, each when what it needs answers. Raises `NotStarted`."""
        self.governor.start()
        self._spawn("postgres", servers.postgres(self.lab))
        for name in ("valkey", "orders"):
            self._spawn(name, servers.valkey(self.lab, name))
        self._spawn("network", _python("opsmith_lab.network", self.lab))
        await self._until("postgres", self._lay_out_tables)
        await self._until("network", self._last_link_opens)
        for name in SERVICES:
            self._spawn_service(name)
        for name in SERVICES:
            await self._until(name, partial(self._answers, name, "/healthz"))
        self._spawn("alertmanager", servers.alertmanager(self.lab))
        self._spawn("prometheus", servers.prometheus(self.lab))
        for name in ("alertmanager", "prometheus"):
            await self._until(name, partial(self._answers, name, "/-/ready"))
        if self.lab.live:
            servers.write_targets(self.lab)
            environment = servers.opsmith_environment(self.lab)
            self._spawn("opsmith", servers.opsmith(self.lab), environment)
            await self._until("opsmith", partial(self._answers, "opsmith", "/healthz"))
        self._spawn("loadgen", _python("opsmith_lab.loadgen", self.lab))
        self.ready = True

    async def keep_alive(self) -> None:
        """Start again what died, a little later, for as long as it is wanted."""
        while True:
            for child in list(self.children.values()):
                if child.process.poll() is None:
                    continue
                if child.down_since is None:
                    child.down_since = time.monotonic()
                    self.governor.drop(child.name)
                elif time.monotonic() - child.down_since >= RESTART_AFTER_S:
                    self._start_again(child)
            await asyncio.sleep(LOOK_EVERY_S)

    async def restart(self, name: str, version: str | None = None) -> None:
        """Stop a service in an orderly way and start it, with another version if one is given."""
        if version is not None:
            self.versions[name] = version
        child = self.children[name]
        self.governor.drop(name)
        await asyncio.to_thread(_end, child)
        self._start_again(child)

    def quota(self, name: str) -> tuple[float, int]:
        """Processor time in cores and memory in MB that a service may use."""
        return self.quotas[name]

    def allow(self, name: str, *, cores: float, memory_mb: int) -> None:
        """Give a running service another quota."""
        self.quotas[name] = (cores, memory_mb)
        self.governor.allow(name, cores=cores, limit_bytes=memory_mb * 2**20)

    def stop(self) -> None:
        """End every process, the last started first."""
        self.governor.stop()
        for child in reversed(list(self.children.values())):
            _end(child)
        self.children.clear()

    def _start_again(self, child: Child) -> None:
        child.down_since = None
        child.restarts += 1
        if child.name in SERVICES:
            child.command = self._service_command(child.name)
        child.process = self._open(child.name, child.command, child.environment)
        self._govern(child)
        self._write_pids()

    def _spawn_service(self, name: str) -> None:
        self._spawn(name, self._service_command(name))

    def _service_command(self, name: str) -> list[str]:
        release = ["--version", self.versions[name]]
        return [sys.executable, "-m", "opsmith_lab.shop", name, str(self.lab.data), *release]

    def _spawn(
        self, name: str, command: list[str], environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        process = self._open(name, command, environment)
        child = Child(name=name, command=command, environment=environment, process=process)
        if name == "postgres":
            child.quits_on = signal.SIGINT  # PostgreSQL's fast shutdown: it waits for no client
        self.children[name] = child
        self._govern(child)
        self._write_pids()

    def _open(
        self, name: str, command: list[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self.lab.data / "output" / f"{name}.txt").open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.lab.data,
                env={**os.environ, **environment},
            )

    def _govern(self, child: Child) -> None:
        if child.name in SERVICES:
            cores, memory_mb = self.quotas[child.name]
            limit_bytes = memory_mb * 2**20
            self.governor.put(child.name, child.process.pid, cores=cores, limit_bytes=limit_bytes)

    def _write_pids(self) -> None:
        """So that `down` can end them even when the supervisor itself was killed."""
        pids = {
            name: {"pid": child.process.pid, "created_s": created_s(child.process.pid)}
            for name, child in self.children.items()
        }
        (self.lab.data / "pids.json").write_bytes(orjson.dumps(pids))

    async def _until(self, name: str, ready: Callable[[], Awaitable[None]]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            if self.children[name].process.poll() is not None:
                break
            with suppress(OSError, httpx.HTTPError, asyncpg.PostgresError, TimeoutError):
                await ready()
                return
            await asyncio.sleep(LOOK_EVERY_S)
        output = (self.lab.data / "output" / f"{name}.txt").read_text(errors="replace")
        raise NotStarted(f"{name} did not start: {output.strip()[-400:] or 'it said nothing'}")

    async def _answers(self, name: str, path: str) -> None:
        async with httpx.AsyncClient(timeout=2) as client:
            (await client.get(self.lab.url(name) + path)).raise_for_status()

    async def _last_link_opens(self) -> None:
        """The proxies open in order, so that after the last all are there."""
        port = list(self.lab.links.values())[-1]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    async def _lay_out_tables(self) -> None:
        at = {"host": "127.0.0.1", "port": self.lab.ports["postgres"], "user": "shop"}
        admin = await asyncpg.connect(**at, database="postgres")
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = 'shop'"):
            await admin.execute("CREATE DATABASE shop")
        await admin.close()
        shop = await asyncpg.connect(**at, database="shop")
        await shop.execute(SCHEMA.read_text(encoding="utf-8"))
        await shop.close()


def _python(module: str, lab: Lab) -> list[str]:
    return [sys.executable, "-m", module, str(lab.data)]


def created_s(pid: int) -> float:
    """When a process was created, so that its number is not mistaken for a later one's; else 0."""
    with suppress(psutil.Error):
        return float(psutil.Process(pid).create_time())
    return 0.0


def _end(child: Child) -> None:
    """Ask a process to end, then make it."""
    process = child.process
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGCONT)
    process.send_signal(child.quits_on)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
