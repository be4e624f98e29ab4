"""changes: takes tasks that would change something, gives one plan for them, proposed and judged.

All changes of one sentence that can be made now are one plan, so that policy sees their whole
scope and a person approves once. What stands in the way of one is said, with what to configure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from opsmith.answer.plan_text import Shown, headline, plan_text
from opsmith.answer.units import threshold_of
from opsmith.answer.words import quote, slots_text, who
from opsmith.errors import OpsmithError
from opsmith.flows.ask.world import Changes, World
from opsmith.nouns.answer import Answer, AnswerStatus, Finding
from opsmith.nouns.plan import (
    Allowed,
    Check,
    CheckKind,
    Denied,
    Dossier,
    NeedsApproval,
    Order,
    Outcome,
    PlanState,
)
from opsmith.nouns.session import Role
from opsmith.nouns.task import Risk, Task
from opsmith.plan.order_table import table
from opsmith.plan.ordering import Lack, Obstacle, orders_of
from opsmith.plan.runbooks import HOLDS_S, WITHIN_S

# The value, its range and the verdict of a figure; what follows are lists.
MOST_EVIDENCE = 3
_NAME = re.compile(r"\bNAME\b")
_EXAMPLE = "  targets:\n    - target: {target}\n      {needs}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A task that would change something. before: the answers that it waited for."""

    task: Task
    before: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A wish that became orders. check: how it is told that the condition no longer holds."""

    task: Task
    orders: tuple[Order, ...]
    because: str
    check: tuple[Check, str] | None


async def planned(wishes: Mapping[int, Wish], world: World) -> dict[int, Answer]:
    """An answer a task: what was proposed for it, or why nothing was.

    Commands that only look are carried out at once where policy lets reads run.
    """
    changes, speech = world.changes, world.speech
    if changes is None:
        return {n: _failed(one.task, _unchanging(one.task, world)) for n, one in wishes.items()}
    if changes.role is Role.VIEWER:
        said = speech.say("plan.role", role=changes.role)
        return {
            n: Answer(task=one.task, status=AnswerStatus.DENIED, said=(said,))
            for n, one in wishes.items()
        }
    done: dict[int, Answer] = {}
    made: dict[int, Made] = {}
    for place, one in wishes.items():
        if any(needed in done for needed in one.task.depends_on):
            told = slots_text(one.task)
            said = speech.say("skip.failed", intent=one.task.intent, slots=told)
            done[place] = _failed(one.task, said)
        else:
            found = await _made(one, world, changes)
            if isinstance(found, Answer):
                done[place] = found
            else:
                made[place] = found
    for looks in (True, False):
        some = {n: one for n, one in made.items() if (one.task.risk is Risk.READ) is looks}
        done |= await _proposed(some, world, changes) if some else {}
    return done


async def _made(one: Wish, world: World, changes: Changes) -> Made | Answer:
    try:
        orders = await orders_of(one.task, table(), changes.ground)
    except OpsmithError as error:
        return _failed(one.task, str(error))
    if isinstance(orders, Lack):
        return _lacking(one.task, orders, world, configured=changes.configured)
    return Made(
        task=one.task,
        orders=orders,
        because=_because(one, world),
        check=_check(one, world) if changes.watched else None,
    )


async def _proposed(made: Mapping[int, Made], world: World, changes: Changes) -> dict[int, Answer]:
    checks = dict.fromkeys(one.check for one in made.values() if one.check is not None)
    reasons = dict.fromkeys(one.because for one in made.values() if one.because)
    why = " ".join([f"asked: “{quote(world.asked)}”", *reasons])
    try:
        dossier = await changes.propose(
            tuple(order for one in made.values() for order in one.orders),
            tuple(check for check, _ in checks),
            why=why,
        )
        if _only_looks(dossier) and all(one.task.risk is Risk.READ for one in made.values()):
            outcome = await changes.run(dossier.plan.id)
            return {n: _ran(one.task, dossier, outcome, world) for n, one in made.items()}
        asked = isinstance(dossier.judgement, NeedsApproval)
        approvers = changes.approvers() if asked else ()
    except OpsmithError as error:
        return {n: _failed(one.task, str(error)) for n, one in made.items()}
    names = {step.order.action for step in dossier.plan.steps}
    shown = Shown(
        checks=tuple(words for _, words in checks),
        undo={name: changes.spec(name).undo for name in names},
        approvers=approvers,
    )
    return _answers(made, dossier, world, plan_text(dossier, shown, world.speech))


def _answers(
    made: Mapping[int, Made], dossier: Dossier, world: World, text: str
) -> dict[int, Answer]:
    """The first task's answer shows the plan, the others say which step they are."""
    speech, name = world.speech, dossier.plan.id
    denied = isinstance(dossier.judgement, Denied)
    done: dict[int, Answer] = {}
    step = 1
    for place, one in made.items():
        slots = slots_text(one.task)
        said = speech.say("plan.also", intent=one.task.intent, slots=slots, n=step, id=name)
        done[place] = Answer(
            task=one.task,
            status=AnswerStatus.DENIED if denied else AnswerStatus.PLAN,
            said=(said if done else headline(dossier, speech), *filter(None, [one.because])),
            detail="" if done else text,
            plan=dossier,
        )
        step += len(one.orders)
    return done


def _ran(task: Task, dossier: Dossier, outcome: Outcome | Denied, world: World) -> Answer:
    """What a command that only looks has told."""
    if isinstance(outcome, Denied):
        said = world.speech.say(
            "plan.denied", id=dossier.plan.id, rule=outcome.rule, reason=outcome.reason
        )
        return Answer(task=task, status=AnswerStatus.DENIED, said=(said,), plan=dossier)
    well = outcome.state is PlanState.DONE
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED if well else AnswerStatus.FAILED,
        said=(world.speech.say("plan.ran", id=dossier.plan.id, says=outcome.says),),
        detail="\n".join(one.says for one in outcome.acts),
        plan=dossier,
    )


def _only_looks(dossier: Dossier) -> bool:
    return dossier.plan.risk is Risk.READ and isinstance(dossier.judgement, Allowed)


def _because(one: Wish, world: World) -> str:
    """The condition that held, with what was seen; empty when there was none."""
    condition = one.task.slots.get("condition")
    if condition is None:
        return ""
    held = [found for found in one.before if found.finding == condition]
    evidence = " ".join(said for found in held for said in found.said[:MOST_EVIDENCE])
    finding = world.speech.phrase("finding", str(condition))
    return world.speech.say("plan.because", finding=finding, evidence=evidence).strip()


def _check(one: Wish, world: World) -> tuple[Check, str] | None:
    """The condition turned round: what was beyond its limit must no longer be, and its words."""
    if one.task.slots.get("condition") != Finding.BREACH:
        return None
    for found in one.before:
        limit = found.task.slots.get("threshold")
        if found.finding is not Finding.BREACH or limit is None:
            continue
        if found.task.intent != "query_metric" or not found.evidence or not found.figures:
            continue
        threshold = threshold_of(str(limit), found.figures[0].unit)
        sign = "==" if threshold.sign == "=" else threshold.sign
        subject = f"({found.evidence[0].query}) {sign} {threshold.value!r}"
        words = world.speech.say(
            "plan.check_metric",
            metric=world.speech.figure(str(found.task.slots["metric"])),
            who=who(found.task, world.speech),
            limit=quote(str(limit)),
        )
        check = Check(kind=CheckKind.QUIET, subject=subject, within_s=WITHIN_S, holds_s=HOLDS_S)
        return check, words
    return None


def _lacking(task: Task, lack: Lack, world: World, *, configured: bool) -> Answer:
    """What stands in the way, and what to write where."""
    speech = world.speech
    said = speech.say(
        f"lack.{lack.obstacle}",
        intent=task.intent,
        slots=slots_text(task),
        action=lack.action,
        name=quote(lack.name),
        slot=quote(lack.slot),
        choices=", ".join(map(quote, lack.choices)) or speech.say("lack.none"),
    )
    if lack.obstacle is not Obstacle.NO_WAY:
        return _failed(task, said)
    place = speech.say("lack.configure" if configured else "lack.no_file")
    needs = quote(_NAME.sub(lambda _: lack.name, lack.needs))
    target = quote(f"{lack.kind}:{lack.name}")
    example = _EXAMPLE.format(target=target, needs=needs) if lack.kind else f"  {needs}"
    return Answer(task=task, status=AnswerStatus.FAILED, said=(said, place), detail=example)


def _unchanging(task: Task, world: World) -> str:
    return world.speech.say(
        "plan.recording", intent=task.intent, slots=slots_text(task), risk=task.risk
    )


def _failed(task: Task, said: str) -> Answer:
    return Answer(task=task, status=AnswerStatus.FAILED, said=(said,))
