"""Catalogue: the names that exist, the only source of names for a change."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

ENVIRONMENTS = ("prod", "staging", "dev", "dr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The services, hosts, host groups, namespaces and alerts that exist, and their other names.

    A kind of which no name is listed is open: names of it are read by their shape, for reading
    only, except hosts, whose shape (`web-03`) is taken at its word; policy checks them again.

    aliases: other name -> service, in any language.
    env_aliases: other name -> one of `ENVIRONMENTS`.
    """

    services: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    host_groups: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    alerts: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    env_aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "aliases", MappingProxyType(dict(self.aliases)))
        object.__setattr__(self, "env_aliases", MappingProxyType(dict(self.env_aliases)))

    def joined(self, other: Catalogue) -> Catalogue:
        """Both catalogues as one; of two meanings of an alias, that of `other` holds."""
        return Catalogue(
            services=self.services | other.services,
            hosts=self.hosts | other.hosts,
            host_groups=self.host_groups | other.host_groups,
            namespaces=self.namespaces | other.namespaces,
            alerts=self.alerts | other.alerts,
            aliases={**self.aliases, **other.aliases},
            env_aliases={**self.env_aliases, **other.env_aliases},
        )

    def nearest(self, name: str) -> tuple[str, ...]:
        """Up to three known services that are written like `name`, best first."""
        return tuple(difflib.get_close_matches(name.lower(), sorted(self.services), n=3))


# First words of service names that are ordinary words of an instruction: never short for a name.
_ORDINARY = frozenset(
    [
        "search",
        "notification",
        "recommendation",
        "order",
        "user",
        "web",
        "api",
        "data",
        "service",
        "log",
        "node",
        "test",
        "app",
        "server",
        "app",
        "main",
        "auto",
        "config",
        "health",
        "alert",
        "report",
        "task",
        "check",
        "status",
        "cache",
        "queue",
        "job",
        "event",
        "message",
        "front",
        "back",
        "web-app",
        "metrics",
        "metric",
        "monitor",
        "monitoring",
        "scale",
        "release",
        "customer",
        "product",
    ]
)
_CHINESE_TAILS = ("服务", "系统", "中心", "模块", "应用", "集群", "网关")


def spoken_names(catalogue: Catalogue) -> dict[str, str]:
    """Every way of writing a service that names exactly one: lower case -> service.

    `order-service` may be written "order service", "orders service" or, in the plural, "orders";
    a Chinese alias may end in another word for a system (订单服务, 订单系统).

    >>> names = spoken_names(Catalogue(services=frozenset({"order-service", "cart"})))
    >>> names["order service"], names["orders"], names["cart"], "order" in names
    ('order-service', 'order-service', 'cart', False)
    """
    claims: dict[str, set[str]] = {}
    for service in catalogue.services:
        for written in _written_forms(service):
            claims.setdefault(written, set()).add(service)
    for alias, service in catalogue.aliases.items():
        for written in _alias_forms(alias):
            claims.setdefault(written, set()).add(service)
    exact = {service.lower(): service for service in catalogue.services}
    exact |= {alias.lower(): service for alias, service in catalogue.aliases.items()}
    single = {written: next(iter(to)) for written, to in claims.items() if len(to) == 1}
    return single | exact


def stems(catalogue: Catalogue) -> dict[str, str]:
    """Chinese aliases without their last word ("支付" of 支付服务), where one service has it.

    They are ordinary words as well, so that they count only in a text that names nothing else.
    """
    claims: dict[str, set[str]] = {}
    for alias, service in catalogue.aliases.items():
        stem = next((alias.removesuffix(t) for t in _CHINESE_TAILS if alias.endswith(t)), "")
        if len(stem) > 1:
            claims.setdefault(stem, set()).add(service)
    return {stem: next(iter(to)) for stem, to in claims.items() if len(to) == 1}


def shared_words(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """First words that several services share: word -> those services, for a question back."""
    taken = spoken_names(catalogue)
    groups: dict[str, set[str]] = {}
    for service in catalogue.services:
        head, dash, _ = service.lower().partition("-")
        if dash and head not in taken and head not in _ORDINARY:
            groups.setdefault(head, set()).add(service)
    return {word: tuple(sorted(names)) for word, names in groups.items() if len(names) > 1}


def _written_forms(service: str) -> Iterable[str]:
    name = service.lower()
    spaced = name.replace("-", " ").replace("_", " ")
    yield from (name, spaced, spaced.replace(" ", "_"), spaced.replace(" ", ""))
    head, _, tail = spaced.rpartition(" ")
    if head and tail in {"service", "api", "svc", "server", "app"}:
        yield from (f"{head} service", f"{head}-service", f"{head} svc", f"{head}-svc", f"{head}s")
        yield from (f"{head} api", f"{head}s service", f"{head} app")
    first, _, rest = name.partition("-")
    if rest and first not in _ORDINARY:
        yield first
    if not head:
        yield from (f"{name} service", f"{name}-service", f"{name} svc")
        if not name.endswith("s") and name not in _ORDINARY:
            yield f"{name}s"


def _alias_forms(alias: str) -> Iterable[str]:
    name = alias.lower()
    yield name
    stem = next((name.removesuffix(t) for t in _CHINESE_TAILS if name.endswith(t)), "")
    if len(stem) > 1:
        yield from (f"{stem}{tail}" for tail in _CHINESE_TAILS[:5])
        yield from (f"{stem}那边", f"{stem}这边", f"{stem}侧")
    elif not stem:
        yield from (f"{name}{tail}" for tail in ("服务", "系统", "模块", "应用"))
