"""list_tasks: what was asked of opsmith, by whom, and how it ended."""

from __future__ import annotations

from opsmith.answer.times import span_of
from opsmith.answer.words import TARGETS, names_in, quote
from opsmith.audit.sessions import turns
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Answer, AnswerStatus, Evidence
from opsmith.nouns.session import Turn, TurnStatus
from opsmith.nouns.task import Task

MOST_SHOWN = 30
# Requests are answered at once, so that none is pending or running when the list is made.
_STATUSES = {
    "succeeded": frozenset({TurnStatus.SUCCESS}),
    "failed": frozenset({TurnStatus.FAILED, TurnStatus.TIMEOUT}),
}


async def list_tasks(task: Task, world: World) -> Answer:
    """The requests that fit, newest first."""
    if world.ledger is None:
        said = world.speech.say("tasks.no_ledger")
        return Answer(task=task, status=AnswerStatus.UNKNOWN, said=(said,))
    kept = [one for one in await turns(world.ledger) if _fits(task, world, one)]
    rows = [_row(world, one) for one in reversed(kept[-MOST_SHOWN:])]
    key = "tasks.found" if kept else "tasks.none"
    evidence = Evidence(source="ledger", query="kind=turn", count=len(kept))
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=(world.speech.say(key, count=len(kept)),),
        detail="\n".join(rows),
        evidence=(evidence,),
    )


def _fits(task: Task, world: World, turn: Turn) -> bool:
    slots = task.slots
    if "status" in slots and turn.status not in _STATUSES.get(str(slots["status"]), frozenset()):
        return False
    if "user" in slots and turn.principal != str(slots["user"]):
        return False
    if "action" in slots and str(slots["action"]) not in turn.intents:
        return False
    names = [name for slot in TARGETS for name in names_in(slots.get(slot))]
    if not all(name in turn.command or name in turn.said for name in names):
        return False
    if not {"window", "start"} & slots.keys():
        return True
    span = span_of(slots, zone=world.speech.zone, now=world.clock)
    return span.start <= turn.began <= span.end


def _row(world: World, turn: Turn) -> str:
    return world.speech.say(
        "tasks.row",
        at=world.speech.time(turn.began, day=True),
        status=turn.status,
        who=quote(turn.principal),
        command=quote(turn.command),
    )
