"""Approvals: short, bound to one plan, believed only while the clock is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import (
    Allowed,
    Approval,
    ApprovedPlan,
    Denied,
    Dossier,
    Judgement,
    NeedsApproval,
    Order,
    Plan,
    PlanState,
    Step,
)
from opsmith.nouns.task import Risk
from opsmith.plan.approvals import LIFETIME, approve, leave
from opsmith.testing.acting import NOON, HandClock

TWO = NeedsApproval(rule="two", approvers=2)


def plan(*, to: int = 1, version: str = "7") -> Plan:
    order = Order(action="dial.turn", target=Entity.service("cart"), values={"to": to})
    step = Step(order=order, risk=Risk.CHANGE, resource="cart", version=version, preview="")
    return Plan(steps=(step,), why="it is ill", made_at=NOON, made_by="ada")


def dossier(*, judgement: Judgement = TWO, approvals: tuple[Approval, ...] = ()) -> Dossier:
    return Dossier(plan=plan(), state=PlanState.PROPOSED, judgement=judgement, approvals=approvals)


def yes(approver: str, clock: HandClock, of: Dossier | None = None) -> Approval:
    given = approve(of or dossier(), approver=approver, clock=clock(), name=f"of {approver}")
    assert isinstance(given, Approval)
    return given


def reason(answer: object) -> str:
    assert isinstance(answer, Denied)
    return answer.reason


def test_two_different_principals_open_the_door() -> None:
    clock = HandClock()
    both = dossier(approvals=(yes("ada", clock), yes("bob", clock)))

    approved = leave(both, TWO, clock=clock())

    assert isinstance(approved, ApprovedPlan)
    assert approved.by == ("ada", "bob")


def test_one_principal_counts_once() -> None:
    clock = HandClock()
    twice = dossier(approvals=(yes("ada", clock), yes("ada", clock)))

    assert "has 1" in reason(leave(twice, TWO, clock=clock()))
    assert "already" in reason(approve(twice, approver="ada", clock=clock(), name="x"))


def test_an_approval_ends_after_its_time() -> None:
    clock = HandClock()
    both = dossier(approvals=(yes("ada", clock), yes("bob", clock)))

    clock.passes(LIFETIME.total_seconds())

    assert "expired" in reason(leave(both, TWO, clock=clock()))


def test_after_it_expired_one_may_approve_again() -> None:
    clock = HandClock()
    old = dossier(approvals=(yes("ada", clock),))
    clock.passes(LIFETIME.total_seconds() + 1)

    assert isinstance(approve(old, approver="ada", clock=clock(), name="x"), Approval)


def test_an_approval_of_another_plan_does_not_count() -> None:
    clock = HandClock()
    both = dossier(approvals=(yes("ada", clock), yes("bob", clock)))

    for changed in (plan(to=2), plan(version="8")):
        moved = replace(both, plan=changed)
        assert "another plan" in reason(leave(moved, TWO, clock=clock()))


def test_a_clock_that_was_set_back_revives_nothing() -> None:
    clock = HandClock()
    both = dossier(approvals=(yes("ada", clock), yes("bob", clock)))
    clock.passes(LIFETIME.total_seconds() + 60)

    clock.is_set(-120)

    assert "clock jumped" in reason(leave(both, TWO, clock=clock()))


def test_after_a_restart_of_the_machine_approvals_hold_but_not_those_of_the_future() -> None:
    clock = HandClock()
    both = dossier(approvals=(yes("ada", clock), yes("bob", clock)))
    clock.boot = "boot-2"

    clock.passes(60)
    assert isinstance(leave(both, TWO, clock=clock()), ApprovedPlan)

    clock.passes(-120)
    assert "lies in the future" in reason(leave(both, TWO, clock=clock()))


def test_a_reading_of_the_clock_that_was_garbled_is_a_jump() -> None:
    clock = HandClock()
    garbled = [replace(yes(name, clock), clock="boot-1 soon") for name in ("ada", "bob")]

    assert "clock jumped" in reason(leave(dossier(approvals=tuple(garbled)), TWO, clock=clock()))


def test_what_policy_allows_needs_nobody_and_what_it_denies_nobody_can_give() -> None:
    clock = HandClock()

    assert isinstance(leave(dossier(), Allowed(rule="reads"), clock=clock()), ApprovedPlan)
    no = Denied(rule="freeze", reason="not now")
    assert leave(dossier(), no, clock=clock()) == no
    assert approve(dossier(judgement=no), approver="ada", clock=clock(), name="x") == no


@pytest.mark.parametrize("state", [PlanState.RUNNING, PlanState.DONE, PlanState.REJECTED])
def test_a_plan_is_approved_and_used_once(state: PlanState) -> None:
    clock = HandClock()
    over = replace(dossier(), state=state)

    assert str(state) in reason(approve(over, approver="ada", clock=clock(), name="x"))
    assert str(state) in reason(leave(over, Allowed(rule="reads"), clock=clock()))


def test_the_digest_tells_values_of_different_types_apart() -> None:
    kinds = [1, 1.0, True, "1", ("1",)]
    orders = [
        Order(action="dial.turn", target=Entity.service("cart"), values={"to": one})
        for one in kinds
    ]
    steps = [
        Step(order=one, risk=Risk.CHANGE, resource="cart", version="7", preview="")
        for one in orders
    ]
    made = [Plan(steps=(one,), why="w", made_at=NOON, made_by="ada") for one in steps]

    assert len({one.digest for one in made}) == len(kinds)


def test_the_same_plan_in_another_time_zone_is_the_same_plan() -> None:
    from zoneinfo import ZoneInfo

    moved = replace(plan(), made_at=NOON.astimezone(ZoneInfo("Asia/Shanghai")))

    assert moved.digest == plan().digest
    assert timedelta(minutes=10) == LIFETIME
