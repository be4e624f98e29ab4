"""The table of orders: which action carries out which task, on which target, with which values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from opsmith.errors import BadInput
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.task import Task
from opsmith.plan.fields import listed, mapping, optional, words

VERSION = 1
# Ten times as fast, and as safe.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The slots that say of what a task is. A row for an entity of its own is for tasks without any.
TARGETS = frozenset({"service", "host", "host_group", "namespace", "env"})
# delta: so many more than there are now. revision: a number, a version, or the one before.
FORMS = ("plain", "seconds", "label", "command", "delta", "revision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value comes from. form: what is made of the slot; label: its name, for that form."""

    slot: str
    form: str = "plain"
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to carry out a task; see the head of `orders.yaml`.

    slot: that names the target, empty when `entity` is it. kinds: the likeliest first.
    """

    action: str
    slot: str
    kinds: tuple[EntityKind, ...]
    entity: Entity | None
    values: Mapping[str, Source]
    must: tuple[str, ...]
    placed: frozenset[str]
    heeds: Mapping[str, tuple[str, ...]]
    needs: str

    def applies(self, task: Task) -> bool:
        """Whether the task names a target of this row's kind."""
        if self.entity is not None:
            return not TARGETS & set(task.slots)
        return self.slot in task.slots


Table = Mapping[str, tuple[Row, ...]]


@cache
def table() -> Table:
    """The shipped table: rows by intent."""
    text = (files("opsmith.plan") / "orders.yaml").read_text(encoding="utf-8")
    return table_from(yaml.load(text, Loader=_LOADER))  # noqa: S506 - a SafeLoader, in C where built


def table_from(document: object) -> Table:
    """Read a parsed table. Raises `BadInput` that names the task and the field."""
    top = mapping(document, "The table of orders", {"version", "tasks"})
    if top.get("version") != VERSION:
        raise BadInput(f"A table of orders must say `version: {VERSION}`.")
    tasks = top.get("tasks")
    if not isinstance(tasks, Mapping):
        raise BadInput("`tasks` of the table of orders is a mapping.")
    return {
        str(intent): tuple(_row(one, f"The orders of {intent}") for one in listed(rows, "rows"))
        for intent, rows in tasks.items()
    }


def _row(document: object, where: str) -> Row:
    known = {"action", "target", "values", "must", "placed", "heeds", "needs"}
    given = mapping(document, where, known)
    target = mapping(given.get("target"), f"{where}, `target`", {"slot", "kinds", "entity"})
    slot, entity = optional(target, "slot", str, where), optional(target, "entity", str, where)
    action = optional(given, "action", str, where)
    if not action or bool(slot) is bool(entity):
        raise BadInput(f"{where}: a row has an action and a target: a slot or an entity.")
    values = given.get("values") or {}
    heeds = given.get("heeds") or {}
    if not isinstance(values, Mapping) or not isinstance(heeds, Mapping):
        raise BadInput(f"{where}: `values` and `heeds` are mappings.")
    return Row(
        action=action,
        slot=slot or "",
        kinds=tuple(map(EntityKind, words(target, "kinds", where, tuple(EntityKind)))),
        entity=Entity.parse(entity) if entity else None,
        values={str(name): _source(one, where) for name, one in values.items()},
        must=words(given, "must", where),
        placed=frozenset(words(given, "placed", where)),
        heeds={str(name): words(heeds, name, where) for name in heeds},
        needs=optional(given, "needs", str, where) or "",
    )


def _source(document: object, where: str) -> Source:
    given = mapping(document, f"{where}, a value", {"slot", "as", "label"})
    slot = optional(given, "slot", str, where)
    (form,) = words(given, "as", where, FORMS) or ("plain",)
    label = optional(given, "label", str, where) or ""
    if not slot or bool(label) is not (form == "label"):
        raise BadInput(f"{where}: a value has a slot, and a label where it becomes one.")
    return Source(slot=slot, form=form, label=label)
