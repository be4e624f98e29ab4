"""Runbooks: from what is to blame, by which kind of fault and evidence, to orders and checks.

A placeholder stands for a whole name and nothing else (`{cause}`, `{caller}`, `{callee}`,
`{alerting}`), so that no text of an incident is ever put into another text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opsmith.errors import BadInput
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.entity import Entity
from opsmith.nouns.incident import Blame
from opsmith.nouns.plan import Check, CheckKind, Order, Value
from opsmith.plan.fields import listed, mapping, one_fits, optional, words

VERSION = 1
# All firing alerts of the incident must go quiet; written so in a runbook's checks.
ALERTS_QUIET = "alerts_quiet"
PLACES = ("cause", "caller", "callee", "alerting")
# Long enough for two scrapes, a rule's `for` of a minute, and the rate windows of five minutes
# that most rules use to empty again.
WITHIN_S = 420.0
HOLDS_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of an incident when a runbook is looked for.

    evidence: the channels that the likeliest cause rests on. alerting: where the path ends.
    silences: how it is told of each firing alert that it no longer holds: kind and subject.
    onset: when it began, UTC-aware.
    """

    blame: Blame
    confidence: float
    evidence: frozenset[Channel]
    alerting: Entity | None = None
    silences: tuple[tuple[CheckKind, str], ...] = ()
    onset: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTemplate:
    """One step as it is written. target: `TYPE:NAME` or a placeholder."""

    action: str
    target: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """What to do about some kinds of faults of some entities.

    evidence: channels of which one at least must speak; empty for any.
    reachable: it is taken only when a rehearsal of each step finds its target and takes it, so
        that the next runbook may be for another way to the same service.
    """

    name: str
    kinds: frozenset[CauseKind]
    entities: tuple[str, ...]
    confidence_above: float
    evidence: frozenset[Channel]
    steps: tuple[StepTemplate, ...]
    alerts_quiet: Check | None
    checks: tuple[Check, ...]
    reachable: bool = False

    def fits(self, case: Case) -> bool:
        """Whether it is about this case, and the evidence for it suffices."""
        return (
            case.blame.kind in self.kinds
            and one_fits(self.entities, str(case.blame.entity))
            and case.confidence > self.confidence_above
            and (not self.evidence or bool(self.evidence & case.evidence))
        )


def fitting(runbooks: Sequence[Runbook], case: Case) -> tuple[Runbook, ...]:
    """Those that fit, in their order; none, and a person decides."""
    return tuple(one for one in runbooks if one.fits(case))


def orders(runbook: Runbook, case: Case) -> tuple[Order, ...]:
    """Its steps with the names of this case. Raises `BadInput` when the case has no such name."""
    return tuple(
        Order(action=step.action, target=_target(step.target, case, runbook), values=step.values)
        for step in runbook.steps
    )


def checks(runbook: Runbook, case: Case) -> tuple[Check, ...]:
    """How it is told whether it helped: its own checks, and the alerts' silence if it says so."""
    own = tuple(
        Check(
            kind=one.kind,
            subject=one.subject,
            within_s=one.within_s,
            holds_s=one.holds_s,
            since=case.onset,
        )
        for one in runbook.checks
    )
    silence = runbook.alerts_quiet
    if silence is None:
        return own
    return own + tuple(
        Check(kind=kind, subject=subject, within_s=silence.within_s, holds_s=silence.holds_s)
        for kind, subject in case.silences
    )


def runbooks_from(document: object) -> tuple[Runbook, ...]:
    """Read a parsed file of runbooks. Raises `BadInput` that names the runbook and the field."""
    top = mapping(document, "The file", {"version", "runbooks"})
    if top.get("version") != VERSION:
        raise BadInput(f"A file of runbooks must say `version: {VERSION}`.")
    found = tuple(map(_runbook, listed(top.get("runbooks"), "runbooks")))
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise BadInput("Two runbooks have one name; the ledger tells them apart by it.")
    return found


def _target(text: str, case: Case, runbook: Runbook) -> Entity:
    if not text.startswith("{"):
        return Entity.parse(text)
    ends = case.blame.entity.ends
    names = {
        "{cause}": case.blame.entity,
        "{alerting}": case.alerting,
        "{caller}": Entity.service(ends[0]) if ends else None,
        "{callee}": Entity.service(ends[1]) if ends else None,
    }
    entity = names[text]
    if entity is None:
        raise BadInput(f"The runbook {runbook.name!r} needs {text}, and this incident has none.")
    return entity


def _runbook(document: object) -> Runbook:
    known = {"name", "kinds", "entities", "when", "steps", "checks"}
    given = mapping(document, "A runbook", known)
    name = given.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadInput("A runbook has no name.")
    where = f"The runbook {name[:60]!r}"
    conditions = {"confidence_above", "evidence", "reachable"}
    when = mapping(given.get("when") or {}, f"{where}, `when`", conditions)
    steps = tuple(_step(one, where) for one in listed(given.get("steps"), f"{where}: steps"))
    kinds = words(given, "kinds", where, tuple(CauseKind))
    told = [_check(one, where) for one in listed(given.get("checks"), f"{where}: checks")]
    if not steps or not kinds or not told:
        raise BadInput(f"{where} needs kinds, steps and checks: what is not checked is not done.")
    channels = words(when, "evidence", where, tuple(Channel))
    return Runbook(
        name=name,
        kinds=frozenset(map(CauseKind, kinds)),
        entities=words(given, "entities", where),
        confidence_above=_number(when, "confidence_above", where, 0.0),
        evidence=frozenset(map(Channel, channels)),
        steps=steps,
        alerts_quiet=next((check for kind, check in told if kind == ALERTS_QUIET), None),
        checks=tuple(check for kind, check in told if kind != ALERTS_QUIET),
        reachable=optional(when, "reachable", bool, where) or False,
    )


def _step(document: object, where: str) -> StepTemplate:
    given = mapping(document, f"{where}, a step", {"action", "target", "values"})
    action, target = given.get("action"), given.get("target")
    if not isinstance(action, str) or not isinstance(target, str):
        raise BadInput(f"{where}: a step has an action and a target.")
    if target.startswith("{"):
        if target not in {f"{{{place}}}" for place in PLACES}:
            raise BadInput(f"{where}: {target[:40]!r} is no placeholder; there are {PLACES}.")
    else:
        Entity.parse(target)
    values = given.get("values") or {}
    if not isinstance(values, Mapping):
        raise BadInput(f"{where}: the values of {action} are a mapping.")
    return StepTemplate(
        action=action,
        target=target,
        values={str(key): _value(value, where) for key, value in values.items()},
    )


def _value(value: object, where: str) -> Value:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if not isinstance(value, str | int | float | bool):
        raise BadInput(f"{where}: a value is a text, a number, yes or no, or a list of texts.")
    return value


def _check(document: object, where: str) -> tuple[str, Check]:
    given = mapping(document, f"{where}, a check", {"kind", "subject", "within_s", "holds_s"})
    kinds = (ALERTS_QUIET, *CheckKind)
    (kind,) = words(given, "kind", where, kinds) or ("",)
    subject = optional(given, "subject", str, where) or ""
    if not kind or bool(subject) is (kind == ALERTS_QUIET):
        raise BadInput(
            f"{where}: a check has a kind of {[str(one) for one in kinds]}, and a subject unless"
            f" it is {ALERTS_QUIET}."
        )
    check = Check(
        kind=CheckKind.QUIET if kind == ALERTS_QUIET else CheckKind(kind),
        subject=subject,
        within_s=_number(given, "within_s", where, WITHIN_S),
        holds_s=_number(given, "holds_s", where, HOLDS_S),
    )
    return kind, check


def _number(given: Mapping[str, object], name: str, where: str, default: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise BadInput(f"{where}: `{name}` is a number, 0 or more.")
    return float(value)
