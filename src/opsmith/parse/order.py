"""Order: the mark that joins a step to the one before, and steps in the order of doing."""

from __future__ import annotations

from dataclasses import replace

from opsmith.parse.evidence import CHANGES
from opsmith.parse.pieces import Step

_SOFT = frozenset({"comma", "and", "also", "while"})
_BY_STRENGTH = (
    "else",
    "before_next",
    "before",
    "after",
    "then",
    "also",
    "and",
    "while",
    "comma",
    "stop",
)


def strongest(marks: tuple[str, ...]) -> str:
    """The one of several marks that says most."""
    if "stop" in marks and not set(marks) & {"else", "then", "before", "before_next", "after"}:
        return "stop"
    return next((mark for mark in _BY_STRENGTH if mark in marks), "")


def _in_procedure(made: list[Step], place: int) -> bool:
    """Whether a list ends in "then": "silence a, restart b, then check c" is an order of steps."""
    pair = {made[place].guess.intent, made[place - 1].guess.intent}
    for step in made[place + 1 :]:
        if step.mark in {"stop", "else"} or step.condition:
            return False
        if step.mark == "then":
            return bool(pair & CHANGES)
    return False


def in_order(made: list[Step]) -> list[Step]:
    """Put steps into the order of doing: what "before" and "after" name may stand elsewhere."""
    ready: list[Step] = []
    held: list[Step] = []
    for place, step in enumerate(made):
        first = place == 0 or made[place - 1].mark == "stop"
        leads = place + 1 < len(made)
        if step.mark == "before_next" or (step.mark == "before" and first and leads):
            held.append(replace(step, mark="then"))
            continue
        if step.mark == "after" and ready and not (first and leads):
            ready[-1:] = [replace(step, mark=ready[-1].mark), replace(ready[-1], mark="then")]
            continue
        if step.mark == "after" and leads:
            made[place + 1] = replace(made[place + 1], mark="then")
        mark = {"before": "then", "after": ""}.get(step.mark, step.mark)
        if mark == "comma" and _in_procedure(made, place):
            mark = "then"
        ready.append(replace(step, mark=mark))
        following = made[place + 1].mark if leads else "stop"
        if held and following not in _SOFT:
            ready += held
            held = []
    return ready + held
