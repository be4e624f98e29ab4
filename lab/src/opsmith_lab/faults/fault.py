"""Fault: what it is called, what it causes, and how it begins and ends in its target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from opsmith_lab.layout import ENTRANCE, SERVICES, Spec, edges, entity, path_from
from opsmith_lab.link import Link
from opsmith_lab.shop.process import ShopProcess

# Undoes what `begin` did.
End = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to break the shop, by a real mechanism.

    kind: the cause code that a good diagnosis gives.
    alert: the alert that it raises first with the default target and strength 1.
    target: the default; targets: all that make sense, written `TYPE:NAME`.
    begin: breaks a service from inside its process; begin_on_edge: breaks one proxy.
    in_code: it is a mistake of the version that runs, and another version has it not.
    deploys: the supervisor rolls out a new version of the target, and the old one at the end.
    configures: gives the settings that the supervisor rolls out, and takes back at the end.
    """

    name: str
    kind: str
    alert: str
    summary: str
    target: str
    targets: tuple[str, ...]
    begin: Callable[[ShopProcess, float], End] | None = None
    begin_on_edge: Callable[[Link, float], End] | None = None
    in_code: bool = False
    deploys: bool = False
    configures: Callable[[Spec, float], dict[str, int]] | None = None


def path_of(target: str) -> list[str]:
    """How trouble in `target` reaches the users, cause first; an edge hurts its caller."""
    kind, _, name = target.partition(":")
    if kind == "edge":
        return [target, *path_from(name.partition("->")[0])]
    return path_from(name)


def services(*, store: str | None = None) -> tuple[str, ...]:
    """Services whose trouble users see; with `store`, those that use that server."""
    return tuple(
        entity(name)
        for name, spec in SERVICES.items()
        if path_of(entity(name))[-1] == entity(ENTRANCE)
        and (store is None or store in spec.stores)
    )


def callers() -> tuple[str, ...]:
    """Services that call other services."""
    return tuple(one for one in services() if SERVICES[one.partition(":")[2]].calls)


def with_volume() -> tuple[str, ...]:
    """Services that write to a volume of their own."""
    return tuple(one for one in services() if SERVICES[one.partition(":")[2]].volume_mb)


def all_edges() -> tuple[str, ...]:
    """Edges whose trouble users see."""
    return tuple(
        f"edge:{caller}->{callee}"
        for caller, callee in edges()
        if path_of(entity(caller))[-1] == entity(ENTRANCE)
    )
