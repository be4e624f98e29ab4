"""Entity: the thing that can be ill, written `TYPE:NAME` everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from opsmith.errors import BadInput

# Longer than any DNS name (253) with room for an edge of two such names.
LONGEST_NAME = 512


class EntityKind(StrEnum):
    """The types an entity can have; the part before the colon."""

    SERVICE = "service"
    INSTANCE = "instance"
    HOST = "host"
    DATABASE = "database"
    CACHE = "cache"
    QUEUE = "queue"
    VOLUME = "volume"
    EXTERNAL = "external"
    EDGE = "edge"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Entity:
    """One component of the system, or one call edge between two (`edge:a->b`).

    The name is a stranger's text: printable, never a path, a query or a command.

    >>> str(Entity.parse("service:cart"))
    'service:cart'
    >>> Entity.edge("checkout", "payments").name
    'checkout->payments'
    """

    kind: EntityKind
    name: str

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > LONGEST_NAME or not self.name.isprintable():
            raise BadInput(
                f"{self.name[:60]!r} cannot name a {self.kind}:"
                f" a name has 1 to {LONGEST_NAME} printable characters."
            )

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Entity:
        """Read `TYPE:NAME`. Raises `BadInput` when the type is unknown or the name is empty."""
        kind, colon, name = text.partition(":")
        if not colon or kind not in set(map(str, EntityKind)):
            raise BadInput(f"{text[:60]!r} is not TYPE:NAME with TYPE in {', '.join(EntityKind)}.")
        return cls(kind=EntityKind(kind), name=name)

    @classmethod
    def service(cls, name: str) -> Entity:
        """Name a service."""
        return cls(kind=EntityKind.SERVICE, name=name)

    @classmethod
    def edge(cls, caller: str, callee: str) -> Entity:
        """Name the call edge from `caller` to `callee` (names without their types)."""
        return cls(kind=EntityKind.EDGE, name=f"{caller}->{callee}")

    @property
    def ends(self) -> tuple[str, str] | None:
        """The names of caller and callee when this is an edge, else None."""
        if self.kind is not EntityKind.EDGE:
            return None
        caller, _, callee = self.name.partition("->")
        return caller, callee
