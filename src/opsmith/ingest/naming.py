"""Naming: strangers' names become entities, of the type that the bundle itself states."""

from __future__ import annotations

from collections.abc import Iterable

from opsmith.nouns.entity import LONGEST_NAME, Entity, EntityKind


class Naming:
    """Turns a type and a name into one entity, the same for every source of telemetry.

    stated: entities that `topology.json` or `incident.yaml` name. Where a metric, span or log
    line says `service:x` and only `database:x` is stated, `database:x` is meant.
    """

    def __init__(self, stated: Iterable[Entity] = ()) -> None:
        self._stated = frozenset(stated)
        by_name: dict[str, set[Entity]] = {}
        for entity in self._stated:
            by_name.setdefault(entity.name, set()).add(entity)
        self._only = {name: next(iter(them)) for name, them in by_name.items() if len(them) == 1}
        self._known: dict[tuple[EntityKind, str], Entity | None] = {}

    def entity(self, kind: EntityKind, name: str) -> Entity | None:
        """The entity, or None when the name is empty, too long or not printable."""
        key = (kind, name)
        if key not in self._known:
            self._known[key] = self._make(kind, name.strip())
        return self._known[key]

    def edge(self, caller: str, callee: str) -> Entity | None:
        """The call edge between two names."""
        return self.entity(EntityKind.EDGE, f"{caller.strip()}->{callee.strip()}")

    def parse(self, text: str) -> Entity | None:
        """Read `TYPE:NAME`; None when it is not of that form."""
        kind, colon, name = text.partition(":")
        return self.entity(EntityKind(kind), name) if colon and kind in _KINDS else None

    def _make(self, kind: EntityKind, name: str) -> Entity | None:
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            return None
        entity = Entity(kind=kind, name=name)
        return entity if entity in self._stated else self._only.get(name, entity)


_KINDS = frozenset(map(str, EntityKind))
