"""Policy: rules of one YAML file; the first that matches a step decides, and none means no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from opsmith.errors import BadInput
from opsmith.nouns.plan import Allowed, Autonomy, Denied, Judgement, NeedsApproval
from opsmith.nouns.task import Risk
from opsmith.plan.fields import listed, mapping, one_fits, optional, words

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_APPROVERS = 5
# The shape that a version of the file has; another number is refused rather than guessed at.
VERSION = 1

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A part of each day, in a zone; `until` before `since` reaches over midnight.

    days: 0 is Monday, as in `datetime.weekday`; of hours over midnight, the day they begin.
    """

    since: time = time(0)
    until: time = time(0)
    days: frozenset[int] = frozenset(range(7))
    zone: ZoneInfo = UTC

    def hold(self, at: datetime) -> bool:
        """Whether `at` (UTC-aware) lies within."""
        local = at.astimezone(self.zone)
        clock, today = local.time().replace(tzinfo=None), local.weekday()
        if self.since < self.until:
            return today in self.days and self.since <= clock < self.until
        evening = today in self.days and clock >= self.since
        return evening or ((today - 1) % 7 in self.days and clock < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a rule is asked about: one step, the plan it is in, and who wants it when.

    scope: how many different targets the whole plan touches.
    """

    action: str
    target: str
    risk: Risk
    irreversible: bool
    scope: int
    principal: str
    role: str
    autonomy: Autonomy
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Conditions that must all hold; an empty one holds always.

    actions, targets, principals, roles: shell patterns (`*`, `?`, `[…]`), one of which must fit.
    scope_above: the plan touches more targets than this.
    """

    risk: frozenset[Risk] = frozenset()
    actions: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    autonomy: frozenset[Autonomy] = frozenset()
    irreversible: bool | None = None
    scope_above: int | None = None
    hours: Hours | None = None

    def fits(self, subject: Subject) -> bool:
        """Whether every condition holds of `subject`."""
        return (
            (not self.risk or subject.risk in self.risk)
            and (not self.autonomy or subject.autonomy in self.autonomy)
            and self.irreversible in (None, subject.irreversible)
            and (self.scope_above is None or subject.scope > self.scope_above)
            and (self.hours is None or self.hours.hold(subject.at))
            and one_fits(self.actions, subject.action)
            and one_fits(self.targets, subject.target)
            and one_fits(self.principals, subject.principal)
            and one_fits(self.roles, subject.role)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the policy. approvers: how many must say yes, 0 for none, None for never."""

    name: str
    when: When
    approvers: int | None

    @property
    def says(self) -> Judgement:
        """The judgement on what the rule matches."""
        if self.approvers is None:
            return Denied(rule=self.name, reason=f"The rule {self.name!r} refuses it.")
        if self.approvers == 0:
            return Allowed(rule=self.name)
        return NeedsApproval(rule=self.name, approvers=self.approvers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Rules in their order. approver_roles: shell patterns of the roles that may say yes."""

    rules: tuple[Rule, ...]
    approver_roles: tuple[str, ...] = ("*",)

    def lets_approve(self, role: str) -> bool:
        """Whether principals of this role may approve plans."""
        return one_fits(self.approver_roles, role)

    def of(self, subject: Subject) -> Judgement:
        """What the first fitting rule says; without one the answer is no."""
        for rule in self.rules:
            if rule.when.fits(subject):
                return rule.says
        return Denied(rule="no rule", reason="No rule of the policy matches, and none means no.")


def policy_from(document: object) -> Policy:
    """Read a parsed policy file. Raises `BadInput` that names the rule and the field."""
    top = mapping(document, "The policy", {"version", "rules", "approver_roles"})
    if top.get("version") != VERSION:
        raise BadInput(f"The policy must say `version: {VERSION}`.")
    rules = [
        _rule(each, number) for number, each in enumerate(listed(top.get("rules"), "rules"), 1)
    ]
    if not rules:
        raise BadInput("The policy has no rules; nothing would ever be allowed.")
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise BadInput("Two rules of the policy have one name; the ledger tells them apart by it.")
    roles = words(top, "approver_roles", "The policy") or ("*",)
    return Policy(rules=tuple(rules), approver_roles=roles)


def _rule(document: object, number: int) -> Rule:
    where = f"Rule {number}"
    rule = mapping(document, where, {"name", "when", "then"})
    name = rule.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadInput(f"{where} has no name.")
    where = f"Rule {number} ({name[:40]!r})"
    return Rule(
        name=name,
        when=_when(rule.get("when") or {}, where),
        approvers=_then(rule.get("then"), where),
    )


def _then(document: object, where: str) -> int | None:
    if document in ("allow", "refuse"):
        return 0 if document == "allow" else None
    asked = document.get("ask") if isinstance(document, Mapping) and len(document) == 1 else None
    if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= MOST_APPROVERS:
        raise BadInput(
            f"{where}: `then` is allow, refuse, or ask: N with N from 1 to {MOST_APPROVERS}."
        )
    return asked


def _when(document: object, where: str) -> When:
    known = {one.name for one in fields(When)}
    given = mapping(document, f"{where}, `when`", known)
    return When(
        risk=frozenset(Risk(one) for one in words(given, "risk", where, tuple(Risk))),
        autonomy=frozenset(
            Autonomy(one) for one in words(given, "autonomy", where, tuple(Autonomy))
        ),
        actions=words(given, "actions", where),
        targets=words(given, "targets", where),
        principals=words(given, "principals", where),
        roles=words(given, "roles", where),
        irreversible=optional(given, "irreversible", bool, where),
        scope_above=optional(given, "scope_above", int, where),
        hours=_hours(given["hours"], where) if "hours" in given else None,
    )


def _hours(document: object, where: str) -> Hours:
    given = mapping(document, f"{where}, `hours`", {"between", "days", "zone"})
    days = words(given, "days", where, DAYS)
    zone = given.get("zone", "UTC")
    since, until = _between(given.get("between", "00:00-00:00"), where)
    try:
        found = ZoneInfo(zone if isinstance(zone, str) else "")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput(
            f"{where}: {zone!r} is no time zone; it looks like Europe/Paris."
        ) from error
    numbers = frozenset(map(DAYS.index, days)) or frozenset(range(7))
    return Hours(since=since, until=until, days=numbers, zone=found)


def _between(text: object, where: str) -> tuple[time, time]:
    since, _, until = str(text).partition("-")
    try:
        return time.fromisoformat(since.strip()), time.fromisoformat(until.strip())
    except ValueError as error:
        raise BadInput(f"{where}: `between` is HH:MM-HH:MM, not {text!r}.") from error
