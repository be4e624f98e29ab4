"""Deciding: `approve`, `run` and the rest, typed in a talk by the person, on the plan just shown.

Nothing here decides by itself: each word goes through change control and its policy, as the
commands of the same names do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from opsmith.cli.plan_words import say_denied, say_dossier, say_outcome
from opsmith.errors import BadInput
from opsmith.nouns.plan import Denied, Dossier, Outcome, PlanState
from opsmith.wiring.sessions import Conversation

if TYPE_CHECKING:
    from opsmith.wiring.act import ChangeControl

WORDS = ("approve", "reject", "run", "undo")
_CHINESE = {"批准": "approve", "拒绝": "reject", "执行": "run", "撤销": "undo"}
_SAID = re.compile(
    rf"(?P<word>{'|'.join([*WORDS, *_CHINESE])})(?:\s+(?P<plan>plan-[0-9a-f]{{4,64}}))?"
)


async def decided(talk: Conversation, text: str) -> bool:
    """Do what was typed when it is one of the words alone, or with a plan's id.

    Raises `BadInput` when no plan was shown in this talk and none is named.
    """
    said = _SAID.fullmatch(text.strip().casefold())
    if said is None:
        return False
    word = _CHINESE.get(said["word"], said["word"])
    control = await talk.asker.control()
    name = said["plan"] or talk.last_plan
    if control is None or not name:
        raise BadInput(f"No plan was shown here yet; name one: {word} PLAN.")
    await _do(control, word, name, talk)
    return True


async def _do(control: ChangeControl, word: str, name: str, talk: Conversation) -> None:
    by = talk.principal
    found: Dossier | Outcome | Denied
    match word:
        case "approve":
            found = await control.approve(name, by=by)
        case "reject":
            found = await control.reject(name, by=by)
        case "run":
            found = await control.run(name, by=by)
        case _:
            found = await control.undo(name, by=by)
    if isinstance(found, Denied):
        say_denied(found, "text")
    elif isinstance(found, Outcome):
        say_outcome(found, "text")
    else:
        say_dossier(found, "text")
        if found.state is PlanState.APPROVED:
            click.echo("  here: run")
