"""Carrying over: what a task that does not name its target takes from one that does."""

from __future__ import annotations

from collections.abc import Mapping

from opsmith.parse.lexicon import phrase
from opsmith.parse.schema import TARGETS, TaskSchema
from opsmith.parse.slots import Slots


def taken_over(
    source: Mapping[str, object],
    wanted: tuple[tuple[str, ...], ...],
    schema: TaskSchema,
    *,
    placed: bool,
    kind: str = "",
) -> Slots:
    """The names to take over from one source, empty when it has not what is missing.

    placed: the task names what it is about, and lacks only where.
    kind: the one slot that its words ask for ("the group"), "" for none.
    """
    carried = {*TARGETS, "alert", "metric"}
    needed = {slot for either in wanted for slot in either} & carried
    if not needed & source.keys():
        return {}
    names = {"alert"} if "alert" in needed & source.keys() else carried & set(schema.slots)
    if placed:
        # "silence it on that host": where is all that is taken over.
        names = needed
    if kind in needed & source.keys():
        names = {kind}
    if "metric" not in needed:
        names -= {"metric"}
    taken: Slots = {}
    for name in sorted(names & source.keys()):
        value = source[name]
        if isinstance(value, str | tuple):
            taken[name] = value
    return taken


def kind_meant(text: str) -> str:
    """The slot that "the group" or "that host" stands for, "" where none is said."""
    return next((slot for slot, said in _THE.items() if said.search(text)), "")


_THE = {"host_group": phrase("carry", "the_group"), "host": phrase("carry", "the_host")}


def names_what_is_unknown(text: str) -> bool:
    """Whether a change is said to be done to something by a name that nobody knows.

    Then nothing may be carried over in its place: "show the errors of cart", "restart frontend"
    is no restart of cart.
    """
    return bool(_UNREAD_OBJECT.search(text))


_UNREAD_OBJECT = phrase("carry", "unread_object")
