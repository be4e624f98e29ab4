"""Containers of an engine that speaks Docker's API: Docker, or Podman's service.

Source: Docker Engine API 1.41; Podman 4 leaves out `/update` there and has it in its own API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from opsmith.backends.reach.cgroup_limits import held_to
from opsmith.errors import BadAnswer, BadInput, MissingExtra, NotFound, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.nouns.redaction import redact
from opsmith.seams.reach import Found, Reply, in_time

try:
    import docker
    from docker import errors
    from docker.models.containers import Container
    from requests import RequestException
except ImportError as error:
    raise MissingExtra(
        "Reaching containers needs Docker's client.", hint="pip install 'opsmith[containers]'"
    ) from error

LIST = "container.list"
LOGS = "container.logs"
RESTART = "service.restart"
LIMIT = "service.limit"
OF_ENGINES = frozenset({LIST})
OF_CONTAINERS = frozenset({LOGS, RESTART, LIMIT})
TIMEOUT_S = 20
# How long an orderly stop may take, Docker's own default.
STOP_S = 10
MOST_LISTED = 200
MOST_LINES = 500
# What a person reads of logs; the ledger keeps it.
LONGEST_LOGS = 8_000
MIB = 1024 * 1024
# Scheduling period of the processor, Docker's own default (Linux, sched-bwc).
PERIOD_US = 100_000
# Containers with this label belong to the kubelet, which makes them anew as it likes.
KUBELET = "io.kubernetes.pod.name"
PODMAN_UPDATE = "{base}/v4.0.0/libpod/containers/{id}/update"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPlace:
    """One container of one engine. engine: `unix:///...`."""

    name: str
    engine: str


class ContainersReach:
    """Reaches containers by their names, and engines for what they run."""

    def __init__(
        self, containers: Mapping[Entity, ContainerPlace], *, engines: Mapping[Entity, str]
    ) -> None:
        self._containers = dict(containers)
        self._engines = dict(engines)
        self._clients: dict[str, docker.DockerClient] = {}

    def carries(self, target: Entity, verb: str) -> bool:
        """Lists of engines; logs, restarts and limits of containers."""
        if verb in OF_ENGINES:
            return target in self._engines
        return verb in OF_CONTAINERS and target in self._containers

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """When the container started, or what limits hold."""
        return await asyncio.to_thread(self._look, target, verb, values)

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Restart, limit, or read."""
        work = asyncio.to_thread(self._send, target, verb, values)
        return await in_time(work, deadline_s, f"{verb} on {target}")

    async def aclose(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _look(self, target: Entity, verb: str, values: Values) -> Found:
        with _translated(target):
            if verb in OF_ENGINES:
                self._engine(target)
                return Found(version="the list", facts={})
            return _seen(self._container(target, verb), verb, values)

    def _send(self, target: Entity, verb: str, values: Values) -> Reply:
        with _translated(target):
            if verb in OF_ENGINES:
                return _listed(self._engine(target))
            container = self._container(target, verb)
            if verb == LOGS:
                return _logs(container, values)
            return (_restart if verb == RESTART else _limit)(container, values)

    def _engine(self, target: Entity) -> docker.DockerClient:
        if target not in self._engines:
            raise NotFound(f"The targets file names no engine of {target}.")
        return self._client(self._engines[target])

    def _container(self, target: Entity, verb: str) -> Container:
        if verb not in OF_CONTAINERS:
            raise BadInput(f"Containers know no {verb[:60]!r}.")
        if target not in self._containers:
            raise NotFound(f"The targets file names no container of {target}.")
        place = self._containers[target]
        return self._client(place.engine).containers.get(place.name)

    def _client(self, engine: str) -> docker.DockerClient:
        # Docker's client leaves a socket open for each connection that fails.
        if not Path(engine.removeprefix("unix://")).is_socket():
            raise Unreachable(f"There is no engine at {engine}.", hint="Is it running?")
        if engine not in self._clients:
            self._clients[engine] = docker.DockerClient(base_url=engine, timeout=TIMEOUT_S)
        return self._clients[engine]


def _seen(container: Container, verb: str, values: Values) -> Found:
    owner = "the kubelet" if KUBELET in (container.labels or {}) else ""
    if verb == LOGS:
        return Found(version=container.id, facts={})
    if verb == RESTART:
        since = f"{container.id} {container.attrs['State']['StartedAt']}"
        running = container.status == "running"
        return Found(version=since, facts={"restarts": since, "running": running}, owner=owner)
    facts = _limits(container)
    for name, unit in (("cores", "processor"), ("memory_mb", "memory")):
        if name in values and not facts[name]:
            raise BadInput(
                f"{container.name} has no {unit} limit; one set now could not be taken off again.",
                hint="Make the container with a limit.",
            )
    return Found(version=f"{facts['cores']} {facts['memory_mb']}", facts=facts, owner=owner)


def _limits(container: Container) -> Values:
    """What holds now; 0 for no limit. The kernel knows better than Podman's inspection."""
    told, running = container.attrs["HostConfig"], container.status == "running"
    period = told.get("CpuPeriod") or PERIOD_US
    cores = (told.get("NanoCpus") or 0) / 1e9 or (told.get("CpuQuota") or 0) / period
    memory = told.get("Memory") or 0
    held = held_to(container.attrs["State"]["Pid"]) if running else None
    if held is not None:
        cores, memory = held
    return {"cores": round(cores, 5), "memory_mb": memory // MIB, "running": running}


def _restart(container: Container, values: Values) -> Reply:
    after = values.get("after")
    if after is not None and _seen(container, RESTART, {}).version != after:
        return Reply(says=f"{container.name} was restarted already", facts={})
    container.restart(timeout=STOP_S)
    return Reply(says=f"restarted {container.name}", facts={})


def _limit(container: Container, values: Values) -> Reply:
    cores, memory = _number(values, "cores"), int(_number(values, "memory_mb")) * MIB
    quota = int(cores * PERIOD_US)
    wanted: dict[str, int] = {}
    if quota:
        wanted |= {"cpu_period": PERIOD_US, "cpu_quota": quota}
    if memory:
        wanted |= {"mem_limit": memory, "memswap_limit": memory}
    try:
        container.update(**wanted)
    except errors.NotFound:
        _podman_limit(container, quota, memory)
    return Reply(says=f"limited {container.name}", facts={})


def _podman_limit(container: Container, quota: int, memory: int) -> None:
    api = container.client.api
    url = PODMAN_UPDATE.format(base=api.base_url, id=container.id)
    wanted: dict[str, object] = {}
    if quota:
        wanted["cpu"] = {"period": PERIOD_US, "quota": quota}
    if memory:
        wanted["memory"] = {"limit": memory}
    answer = api.post(url, json=wanted, timeout=TIMEOUT_S)
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        raise BadAnswer(f"Podman does not limit {container.name}: {answer.text[:300]}")


def _listed(client: docker.DockerClient) -> Reply:
    found = client.containers.list(all=True)
    told = [f"{one.name} {one.status}" for one in sorted(found, key=lambda one: str(one.name))]
    more = f" and {len(told) - MOST_LISTED} more" if len(told) > MOST_LISTED else ""
    says = redact(", ".join(told[:MOST_LISTED])) + more if told else "no containers"
    return Reply(says=says, facts={"containers": len(told)})


def _logs(container: Container, values: Values) -> Reply:
    lines = int(_number(values, "lines")) or MOST_LINES
    text = container.logs(tail=min(lines, MOST_LINES), stream=False).decode(errors="replace")
    return Reply(says=redact(text[-LONGEST_LOGS:]) or "no lines", facts={})


def _number(values: Values, name: str) -> float:
    value = values.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadInput(f"{name} is a number, 0 or more.")
    return float(value)


@contextmanager
def _translated(target: Entity) -> Iterator[None]:
    try:
        yield
    except errors.NotFound as error:
        raise NotFound(f"The engine has no container of {target}.") from error
    except errors.APIError as error:
        raise BadAnswer(f"The engine refuses: {str(error.explanation)[:300]}.") from error
    except (errors.DockerException, RequestException, OSError) as error:
        reason = str(error)[:300] or type(error).__name__
        raise Unreachable(f"The engine of {target} did not answer ({reason}).") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswer(f"The engine answered nonsense of {target}.") from error
