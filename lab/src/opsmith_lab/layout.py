"""The shop on paper: its processes, who calls whom, their quotas, and where all of it listens."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

LOWEST_PORT, HIGHEST_PORT = 15_000, 32_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One service.

    calls: services it calls by HTTP; stores: the servers it opens connections to.
    pool_size: the most database connections it may hold; half of them its subscriptions hold.
    attempts: how often its client may try a call at most, however patient it is.
    volume_mb: how much it may write to a volume of its own; 0 for none.
    cpu_cores, memory_mb: its own quota, kept by the governor.
    """

    calls: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    pool_size: int = 16
    attempts: int = 12
    volume_mb: int = 0
    cpu_cores: float = 0.2
    memory_mb: int = 160
    version: str = "1.4.0"


SERVICES: dict[str, Spec] = {
    "frontend": Spec(
        calls=("catalogue", "recommendation", "cart", "checkout"), cpu_cores=0.5, version="3.2.0"
    ),
    "catalogue": Spec(stores=("postgres", "valkey"), cpu_cores=0.3, version="2.7.1"),
    "recommendation": Spec(calls=("catalogue",), stores=("valkey",), version="0.9.4"),
    "cart": Spec(stores=("valkey",), version="1.8.2"),
    "checkout": Spec(
        calls=("cart", "inventory", "payments"),
        stores=("postgres", "orders"),
        volume_mb=8,
        version="2.0.3",
    ),
    "inventory": Spec(stores=("postgres",), volume_mb=8, version="1.1.0"),
    "payments": Spec(stores=("postgres",), volume_mb=8, version="4.0.1"),
    "notifier": Spec(stores=("postgres", "orders"), version="1.0.6"),
}

# What each server beside the services is, in the entity types of opsmith.
STORES: dict[str, str] = {"postgres": "database", "valkey": "cache", "orders": "queue"}

# Who comes, and what there is to buy.
USERS = 60
PRODUCTS = 100

# Where users come in; the service level objectives are watched here.
ENTRANCE = "frontend"


def edges() -> Iterator[tuple[str, str]]:
    """Every pair (caller, callee) that talks; a proxy of its own lies on each."""
    for name, spec in SERVICES.items():
        for callee in (*spec.calls, *spec.stores):
            yield name, callee


def entity(name: str) -> str:
    """`TYPE:NAME` of a process of the shop."""
    return f"{STORES.get(name, 'service')}:{name}"


def path_from(name: str) -> list[str]:
    """The shortest way from a process to the entrance along callee→caller edges, cause first."""
    callers: dict[str, list[str]] = {}
    for caller, callee in edges():
        callers.setdefault(callee, []).append(caller)
    queue = [[name]]
    while queue:
        walk = queue.pop(0)
        if walk[-1] == ENTRANCE:
            return [entity(step) for step in walk]
        queue.extend([*walk, caller] for caller in callers.get(walk[-1], []) if caller not in walk)
    return [entity(name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A running lab: what every process of it must know. Kept as `lab.json` in the data folder.

    ports: where each process listens; links: where the proxy of `caller->callee` listens.
    otlp: a further OTLP/HTTP address for spans and log records; webhooks: further receivers of
        alerts; changes_to: where changes are posted as JSON. Empty where there is none.
    live: whether opsmith watches beside the shop, as a process of the lab.
    """

    data: Path
    seed: int
    rps: float
    scrape_s: float
    token: str
    ports: dict[str, int]
    links: dict[str, int]
    supervisor_pid: int = 0
    otlp: str = ""
    webhooks: tuple[str, ...] = ()
    changes_to: str = ""
    live: bool = False

    def save(self) -> None:
        """Write `lab.json`, readable by its owner alone, since it holds the control token."""
        path = self.data / "lab.json"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps({**asdict(self), "data": str(self.data)}))

    @classmethod
    def load(cls, data: Path) -> Lab:
        """Read `lab.json`. Raises `FileNotFoundError` when no lab lives in `data`."""
        content = orjson.loads((data / "lab.json").read_bytes())
        webhooks = tuple(content["webhooks"])
        return cls(**{**content, "data": Path(content["data"]), "webhooks": webhooks})

    def link(self, caller: str, callee: str) -> int:
        """The port by which `caller` reaches `callee`."""
        return self.links[f"{caller}->{callee}"]

    def url(self, name: str) -> str:
        """The base address of one process."""
        return f"http://127.0.0.1:{self.ports[name]}"


def plan(
    data: Path,
    *,
    seed: int,
    rps: float,
    scrape_s: float,
    otlp: str = "",
    webhooks: tuple[str, ...] = (),
) -> Lab:
    """Choose free loopback ports for a new lab."""
    processes = [*SERVICES, *STORES, "prometheus", "alertmanager", "supervisor", "opsmith"]
    links = [f"{caller}->{callee}" for caller, callee in edges()]
    ports = _free_ports(len(processes) + len(links))
    return Lab(
        data=data,
        seed=seed,
        rps=rps,
        scrape_s=scrape_s,
        token=secrets.token_hex(16),
        ports=dict(zip(processes, ports[: len(processes)], strict=True)),
        links=dict(zip(links, ports[len(processes) :], strict=True)),
        otlp=otlp,
        webhooks=webhooks,
    )


def watched(lab: Lab) -> Lab:
    """The same lab with opsmith beside it, which is sent all that the shop tells."""
    base = lab.url("opsmith")
    return replace(
        lab,
        live=True,
        otlp=lab.otlp or base,
        webhooks=(*lab.webhooks, f"{base}/webhook/alertmanager"),
        changes_to=f"{base}/v1/changes",
    )


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, held at once, so that none is given twice.

    They lie below those that Linux gives to outgoing connections (32768 and up by default),
    which could take one before its process binds it.
    """
    with ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            port = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT)
            held = stack.enter_context(socket.socket())
            with suppress(OSError):
                held.bind(("127.0.0.1", port))
                found.append(port)
        return found
