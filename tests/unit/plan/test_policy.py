"""The policy file and what its rules say."""

from datetime import UTC, datetime
from importlib.resources import files

import pytest
import yaml

from opsmith.errors import BadInput
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import (
    Allowed,
    Autonomy,
    Denied,
    Judgement,
    NeedsApproval,
    Order,
    Plan,
    Step,
)
from opsmith.nouns.task import Risk
from opsmith.plan.judge import Circumstances, judge
from opsmith.plan.policy import Policy, policy_from

NIGHT = datetime(2026, 1, 2, 3, tzinfo=UTC)  # a Friday


def default_policy() -> Policy:
    text = (files("opsmith.plan") / "default_policy.yaml").read_text(encoding="utf-8")
    return policy_from(yaml.safe_load(text))


def step(*, risk: Risk, target: str = "cart", irreversible: str = "") -> Step:
    return Step(
        order=Order(action="dial.turn", target=Entity.service(target), values={"to": 1}),
        risk=risk,
        resource=target,
        version="1",
        preview="",
        irreversible=irreversible,
    )


def judged(
    *steps: Step,
    policy: Policy | None = None,
    autonomy: Autonomy = Autonomy.ASK,
    role: str = "operator",
    at: datetime = NIGHT,
) -> Judgement:
    plan = Plan(steps=steps, why="it is ill", made_at=NIGHT, made_by="ada")
    circumstances = Circumstances(
        principal="ada", role=role, at=at, autonomy={"dial.turn": autonomy}
    )
    return judge(plan, policy or default_policy(), circumstances)


def one_rule(when: dict[str, object], then: object = "allow") -> Policy:
    return policy_from({"version": 1, "rules": [{"name": "it", "when": when, "then": then}]})


def test_by_default_reads_run() -> None:
    assert judged(step(risk=Risk.READ)) == Allowed(rule="reads run")


def test_by_default_a_change_asks_one_and_destruction_asks_two() -> None:
    assert judged(step(risk=Risk.CHANGE)) == NeedsApproval(rule="changes ask", approvers=1)
    assert judged(step(risk=Risk.DESTRUCTIVE)) == NeedsApproval(
        rule="destructive asks two", approvers=2
    )


def test_the_strictest_step_decides_for_the_plan() -> None:
    mixed = (step(risk=Risk.READ), step(risk=Risk.DESTRUCTIVE), step(risk=Risk.CHANGE))

    assert judged(*mixed) == NeedsApproval(rule="destructive asks two", approvers=2)


def test_by_default_a_mass_of_targets_is_refused_whatever_was_earned() -> None:
    crowd = [step(risk=Risk.CHANGE, target=f"s{n}") for n in range(11)]

    assert isinstance(judged(*crowd, autonomy=Autonomy.AUTO), Denied)
    assert not isinstance(judged(*crowd[:10], autonomy=Autonomy.AUTO), Denied)


def test_earned_autonomy_lets_through_only_what_can_be_undone() -> None:
    assert isinstance(judged(step(risk=Risk.CHANGE), autonomy=Autonomy.AUTO), Allowed)
    assert isinstance(
        judged(step(risk=Risk.CHANGE, irreversible="gone"), autonomy=Autonomy.AUTO), NeedsApproval
    )
    assert isinstance(judged(step(risk=Risk.DESTRUCTIVE), autonomy=Autonomy.AUTO), NeedsApproval)


def test_what_no_rule_matches_is_refused() -> None:
    assert isinstance(judged(step(risk=Risk.CHANGE), policy=one_rule({"risk": "read"})), Denied)


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({"actions": "dial.*"}, True),
        ({"actions": ["script.*"]}, False),
        ({"targets": "service:c*"}, True),
        ({"targets": "host:*"}, False),
        ({"principals": "ada"}, True),
        ({"roles": ["viewer"]}, False),
        ({"irreversible": True}, False),
        ({"autonomy": "shadow"}, False),
        ({"scope_above": 0}, True),
        ({"hours": {"between": "02:00-04:00"}}, True),
        ({"hours": {"between": "22:00-04:00", "days": ["thu"]}}, True),
        ({"hours": {"between": "22:00-04:00", "days": ["fri"]}}, False),
        ({"hours": {"between": "22:00-02:00"}}, False),
        ({"hours": {"days": ["sat"]}}, False),
        ({"hours": {"between": "11:00-12:00", "zone": "Asia/Shanghai"}}, True),
    ],
)
def test_a_rule_fits_when_all_its_conditions_do(when: dict[str, object], *, fits: bool) -> None:
    judgement = judged(step(risk=Risk.CHANGE), policy=one_rule(when))

    assert isinstance(judgement, Allowed) is fits


def test_a_rule_may_refuse() -> None:
    assert judged(step(risk=Risk.READ), policy=one_rule({}, "refuse")) == Denied(
        rule="it", reason="The rule 'it' refuses it."
    )


def test_roles_that_may_approve_are_named_or_all() -> None:
    rules = [{"name": "it", "then": "allow"}]

    assert policy_from({"version": 1, "rules": rules}).lets_approve("anyone")
    chosen = policy_from({"version": 1, "rules": rules, "approver_roles": ["lead", "s*"]})
    assert chosen.lets_approve("sre")
    assert not chosen.lets_approve("viewer")


RULE: dict[str, object] = {"name": "it", "when": {}, "then": "allow"}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "must be a mapping"),
        ({"version": 2, "rules": [RULE]}, "version: 1"),
        ({"version": 1}, "`rules` must be a list"),
        ({"version": 1, "rules": []}, "no rules"),
        ({"version": 1, "rules": [RULE, RULE]}, "one name"),
        ({"version": 1, "rules": [RULE], "ruels": 1}, "'ruels'"),
        ({"version": 1, "rules": [{**RULE, "name": " "}]}, "has no name"),
        ({"version": 1, "rules": [{**RULE, "then": "maybe"}]}, "ask: N"),
        ({"version": 1, "rules": [{**RULE, "then": {"ask": True}}]}, "ask: N"),
        ({"version": 1, "rules": [{**RULE, "then": {"ask": 9}}]}, "ask: N"),
        ({"version": 1, "rules": [{**RULE, "when": {"risk": "huge"}}]}, "'huge'"),
        ({"version": 1, "rules": [{**RULE, "when": {"risk": []}}]}, "list of words"),
        ({"version": 1, "rules": [{**RULE, "when": {"scope_above": True}}]}, "must be int"),
        ({"version": 1, "rules": [{**RULE, "when": {"irreversible": 1}}]}, "must be bool"),
        ({"version": 1, "rules": [{**RULE, "when": {"hours": {"between": "soon"}}}]}, "HH:MM"),
        ({"version": 1, "rules": [{**RULE, "when": {"hours": {"zone": "Mars"}}}]}, "time zone"),
        ({"version": 1, "rules": [{**RULE, "when": {"hours": {"zone": 1}}}]}, "time zone"),
    ],
)
def test_a_policy_that_cannot_be_used_says_where(document: object, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        policy_from(document)
