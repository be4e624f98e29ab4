"""A plan as a person reads it at night: what, how it is undone and verified, who must agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from opsmith.answer.words import Speech, words
from opsmith.nouns.plan import Allowed, Denied, Dossier, NeedsApproval, Step

# How long an approval holds; `plan.approvals` decides, this only tells.
APPROVAL_HOLDS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a plan does not say of itself.

    checks: the words of each of its checks, in their order. undo: of each action, in words.
    approvers: patterns of the roles that may say yes.
    """

    checks: tuple[str, ...]
    undo: Mapping[str, str]
    approvers: tuple[str, ...]


def headline(dossier: Dossier, speech: Speech) -> str:
    """The one sentence: waits, is free, or is refused."""
    name, risk = dossier.plan.id, dossier.plan.risk
    match dossier.judgement:
        case Denied(rule=rule, reason=reason):
            return speech.say("plan.denied", id=name, rule=rule, reason=reason)
        case Allowed():
            return speech.say("plan.free", id=name, risk=risk)
        case NeedsApproval():
            return speech.say("plan.waits", id=name, risk=risk)


def plan_text(dossier: Dossier, shown: Shown, speech: Speech) -> str:
    """The plan, step by step, and what to type."""
    lines: list[str] = []
    for number, step in enumerate(dossier.plan.steps, start=1):
        lines += _step(number, step, shown, speech)
    for check, what in zip(dossier.plan.checks, shown.checks, strict=False):
        undone = any(not step.irreversible for step in dossier.plan.steps)
        within, holds = (timedelta(seconds=one) for one in (check.within_s, check.holds_s))
        lines.append(
            "  "
            + speech.say(
                "plan.check" if undone else "plan.check_only",
                what=what,
                within=speech.length(within),
                holds=speech.length(holds),
            )
        )
    return "\n".join([*lines, *_next(dossier, shown, speech)])


def _step(number: int, step: Step, shown: Shown, speech: Speech) -> Iterator[str]:
    order = step.order
    yield "  " + speech.say("plan.step", n=number, preview=step.preview)
    yield "     " + speech.say(
        "plan.action", action=order.action, target=order.target, risk=step.risk
    )
    if step.irreversible:
        yield "     " + speech.say("plan.no_undo", why=step.irreversible)
    else:
        yield "     " + speech.say("plan.undo", undo=shown.undo.get(order.action, ""))
    how = "own" if order.action not in words()["verify"] else order.action
    yield "     " + speech.say("plan.verify", how=speech.phrase("verify", how))


def _next(dossier: Dossier, shown: Shown, speech: Speech) -> Iterator[str]:
    """Who must agree, and the commands."""
    name = dossier.plan.id
    match dossier.judgement:
        case Denied():
            return
        case NeedsApproval(rule=rule, approvers=count):
            people = "plan.people_one" if count == 1 else "plan.people"
            each = "" if count == 1 else f" {speech.say('plan.each', count=count)}"
            yield "  " + speech.say(
                "plan.who",
                count=speech.say(people, count=count),
                roles=_roles(shown.approvers, speech),
                rule=rule,
            )
            holds = speech.say("plan.within", length=speech.length(APPROVAL_HOLDS))
            yield f"  {speech.say('plan.next')}opsmith approve {name}{each}"
            yield f"  {speech.say('plan.then')}opsmith run {name} {holds}"
        case Allowed():
            yield f"  {speech.say('plan.next')}opsmith run {name}"
    yield f"  {speech.say('plan.or_not')}opsmith reject {name}"


def _roles(patterns: tuple[str, ...], speech: Speech) -> str:
    if patterns == ("*",):
        return speech.say("plan.any_role")
    return speech.say("plan.roles", roles=", ".join(patterns))
