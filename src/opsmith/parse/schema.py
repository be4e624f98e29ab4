"""Task schemas: what a task may hold, what it must, and what it risks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opsmith.nouns.task import Risk, SlotValue

TARGETS = ("service", "host", "host_group", "namespace", "env")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSchema:
    """One checked template.

    required: one entry a need, each the slots of which one is enough.
    slots: every slot it knows, in the order of the file.
    inputs: the JSON Schema of the slots.
    """

    task_id: str
    version: int
    title: str
    intent: str
    risk: Risk
    required: tuple[tuple[str, ...], ...]
    slots: tuple[str, ...]
    output_format: str
    inputs: Mapping[str, object]
    examples: tuple[str, ...] = ()

    def missing(self, slots: Mapping[str, SlotValue]) -> tuple[str, ...]:
        """The needs that these slots leave open; `target` stands for any kind of target."""
        return tuple(_need(either) for either in self.open_needs(slots))

    def open_needs(self, slots: Mapping[str, object]) -> tuple[tuple[str, ...], ...]:
        """The entries of `required` of which these slots hold none."""
        return tuple(
            either for either in self.required if not any(slot in slots for slot in either)
        )


def _need(either: tuple[str, ...]) -> str:
    return "target" if set(either) == set(TARGETS) else either[0]
