"""A plan from its proposal to its outcome, and every door that closes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from importlib.resources import files

import pytest
import yaml

from opsmith.audit.states import ACT, PLAN
from opsmith.errors import BadInput, Conflict, NotFound, Unreachable
from opsmith.execute.action import Action, Finding
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.execute.resources import hold, let_go
from opsmith.execute.settle import Watcher
from opsmith.flows.change_control import ChangeControl, Guards, Proposal
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import (
    ActState,
    Autonomy,
    Check,
    CheckKind,
    Denied,
    Dossier,
    NeedsApproval,
    Order,
    Outcome,
    Plan,
    PlanState,
    Step,
)
from opsmith.nouns.record import Entry, Record
from opsmith.nouns.session import Principal, Role
from opsmith.nouns.task import Risk
from opsmith.plan.policy import Policy, policy_from
from opsmith.plan.waves import widening
from opsmith.seams.ledger import Seen, Wanted
from opsmith.testing.acting import NOON, TURN, DialReach, HandClock, OneWay, TurnDial
from opsmith.testing.ledger import MemoryLedger

ADA, BOB = Principal(name="ada"), Principal(name="bob")


class SickLedger(MemoryLedger):
    """Stops writing, or reading, when told."""

    def __init__(self) -> None:
        super().__init__()
        self.full_after = 1_000
        self.gone = False

    async def append(self, entries, *, durable, seen=()):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        self.full_after -= 1
        if self.full_after < 0:
            raise Unreachable("The ledger cannot be used: the disk is full.")
        return await super().append(entries, durable=durable, seen=seen)

    async def read(self, wanted: Wanted) -> tuple[Record, ...]:
        if self.gone:
            raise Unreachable("The ledger cannot be used: it is locked.")
        found = await super().read(wanted)
        await asyncio.sleep(0)  # as a real one: others may write before the reader goes on
        return found


class House:
    """A change control over two dials, with everything in reach of the test."""

    def __init__(
        self, *, risk: Risk = Risk.CHANGE, irreversible: str = "", named: str = TURN
    ) -> None:
        self.dials = DialReach({"cart": 1, "pay": 5})
        self.ledger = SickLedger()
        self.clock = HandClock()
        self.policy_text = (files("opsmith.plan") / "default_policy.yaml").read_text("utf-8")
        self.queue_up = True
        self.quiet = [True]
        self.earned: Callable[[], Awaitable[Mapping[str, Autonomy]]] | None = None
        self.checks: tuple[Check, ...] = ()
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.autonomy: dict[str, Autonomy] = {}
        self._names = iter(f"approval-{n}" for n in range(100))
        self.action = TurnDial(risk=risk, irreversible=irreversible, deadline_s=0.2, name=named)
        self.control = ChangeControl(
            self.ledger,
            actions=Registry([self.action]),
            world=OneWay(way=self.dials),
            guards=Guards(
                policy=self._policy,
                clock=self.clock,
                autonomy=self._autonomy,
                others={"queue": self._queue},
            ),
            watcher=Watcher(probe=self._probe, clock=lambda: self.clock.now, sleep=self._sleep),
            fresh_name=lambda: next(self._names),
        )

    def _policy(self) -> Policy:
        return policy_from(yaml.safe_load(self.policy_text))

    async def _autonomy(self) -> Mapping[str, Autonomy]:
        return await self.earned() if self.earned else self.autonomy

    async def autonomy_on_the_ledger(self) -> Mapping[str, Autonomy]:
        await self.ledger.read(Wanted(kind="autonomy"))
        return {}

    async def _queue(self) -> None:
        if not self.queue_up:
            raise Unreachable("The queue does not answer.")

    async def _probe(self, _: Check) -> Finding:
        if self.meanwhile is not None:
            await self.meanwhile()
        if not self.quiet:
            raise Unreachable("Prometheus does not answer.")
        holds = self.quiet.pop(0) if len(self.quiet) > 1 else self.quiet[0]
        return Finding(holds=holds, says="quiet" if holds else "loud")

    async def _sleep(self, seconds: float) -> None:
        self.clock.passes(seconds)

    async def ramp(self, name: str, *values: int, waves: tuple[int, ...]) -> str:
        orders = tuple(
            Order(action="dial.turn", target=Entity.service(name), values={"to": to})
            for to in values
        )
        proposal = Proposal(orders=orders, why="widen", checks=(CHECK,), waves=waves)
        plan = (await self.control.propose(proposal, by=ADA)).plan.id
        await self.control.approve(plan, by=ADA)
        return plan

    async def propose(self, **turns: int) -> Dossier:
        orders = tuple(
            Order(action=self.action.name, target=Entity.service(name), values={"to": to})
            for name, to in turns.items()
        )
        proposal = Proposal(orders=orders, why="it is ill", checks=self.checks)
        return await self.control.propose(proposal, by=ADA)

    async def approved(self, *who: Principal, **turns: int) -> str:
        name = (await self.propose(**turns)).plan.id
        for one in who or (ADA,):
            assert isinstance(await self.control.approve(name, by=one), Dossier)
        return name

    async def run(self, name: str) -> Outcome | Denied:
        return await self.control.run(name, by=ADA)


async def test_an_approved_plan_is_carried_out_verified_and_on_the_ledger() -> None:
    house = House()

    outcome = await house.run(await house.approved(cart=3, pay=6))

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.DONE
    assert house.dials.dials == {"cart": 3, "pay": 6}
    states = [r.entry.body for r in await house.ledger.read(Wanted(kind=ACT))]
    assert ['"started"' in one for one in states] == [True, False, False, True, False, False]
    assert (await house.ledger.verify()).whole
    (act, _) = await house.control.acts(outcome.plan, by=ADA)
    assert act.state is ActState.VERIFIED
    assert act.before == {"at": 1}


async def test_a_plan_says_what_it_would_do_before_anybody_approves() -> None:
    house = House()

    dossier = await house.propose(cart=3)

    assert dossier.plan.steps[0].preview == "service:cart goes from 1 to 3"
    assert dossier.judgement == NeedsApproval(rule="changes ask", approvers=1)
    assert house.dials.turns == 0
    assert await house.control.plans(by=ADA) == (dossier,)


async def test_without_approval_nothing_is_done() -> None:
    house = House()

    answer = await house.run((await house.propose(cart=3)).plan.id)

    assert isinstance(answer, Denied)
    assert house.dials.turns == 0


async def test_an_approval_is_used_once() -> None:
    house = House()
    name = await house.approved(cart=3)

    both = await asyncio.gather(house.run(name), house.run(name))
    again = await house.run(name)

    assert sum(isinstance(one, Outcome) for one in both) == 1
    assert isinstance(again, Denied)
    assert house.dials.turns == 1


async def test_destruction_waits_for_a_second_principal() -> None:
    house = House(risk=Risk.DESTRUCTIVE)
    name = await house.approved(ADA, cart=3)

    first = await house.run(name)
    await house.control.approve(name, by=BOB)
    second = await house.run(name)

    assert isinstance(first, Denied)
    assert isinstance(second, Outcome)


async def test_a_target_that_changed_since_is_left_alone() -> None:
    house = House()
    name = await house.approved(cart=3)
    house.dials.dials["cart"] = 2

    outcome = await house.run(name)

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.UNDONE
    assert "has changed" in outcome.says
    assert house.dials.dials["cart"] == 2


async def test_a_step_that_does_not_hold_is_undone_with_those_before_it() -> None:
    house = House()
    house.dials.sticky.add("pay")

    outcome = await house.run(await house.approved(cart=3, pay=6))

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.UNDONE
    assert house.dials.dials == {"cart": 1, "pay": 5}
    assert "should be at 6" in outcome.says


async def test_a_step_past_its_deadline_is_undone_and_an_undo_that_fails_is_said() -> None:
    house = House()
    name = await house.approved(cart=3)
    house.dials.slow_s = 1.0

    outcome = await house.run(name)

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.FAILED
    assert "stays as it is" in outcome.says


async def test_what_cannot_be_undone_is_left_and_said() -> None:
    house = House(irreversible="a turned dial is turned")
    house.dials.sticky.add("cart")

    outcome = await house.run(await house.approved(cart=3))

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.FAILED
    assert "cannot be undone: a turned dial is turned" in outcome.says


async def test_a_step_that_cannot_be_looked_at_again_counts_as_not_done() -> None:
    house = House()
    name = await house.approved(cart=3, pay=6)
    send = house.dials.send

    async def then_break(*given: object, **named: object):  # type: ignore[no-untyped-def]  # noqa: ANN202
        reply = await send(*given, **named)  # type: ignore[arg-type]
        house.dials.broken.add("cart")
        return reply

    house.dials.send = then_break  # type: ignore[method-assign]

    outcome = await house.run(name)

    assert isinstance(outcome, Outcome)
    assert "could not be verified" in outcome.says
    assert house.dials.dials["pay"] == 5


async def test_two_plans_on_one_resource_never_overlap() -> None:
    house = House()
    first, second = await house.approved(cart=3), await house.approved(cart=4)
    house.dials.slow_s = 0.05

    outcomes = await asyncio.gather(house.run(first), house.run(second))

    assert sorted(o.state for o in outcomes if isinstance(o, Outcome)) == ["done", "failed"]
    assert "held by" in " ".join(o.says for o in outcomes if isinstance(o, Outcome))


async def test_a_resource_is_free_again_when_its_holder_died_and_only_its_holder_frees_it() -> (
    None
):
    house = House()
    now, lease = house.clock.now, timedelta(seconds=10)

    assert await hold(house.ledger, "cart", plan="a", now=now, lease=lease) is None
    assert await hold(house.ledger, "cart", plan="b", now=now, lease=lease) == "a"
    await let_go(house.ledger, "cart", plan="b", now=now)
    assert await hold(house.ledger, "cart", plan="b", now=now, lease=lease) == "a"
    assert await hold(house.ledger, "cart", plan="b", now=now + lease, lease=lease) is None


async def test_of_two_that_reach_for_a_free_resource_one_gets_it() -> None:
    house = House()
    now, lease = house.clock.now, timedelta(seconds=10)

    got = await asyncio.gather(
        *(hold(house.ledger, "cart", plan=name, now=now, lease=lease) for name in "abc")
    )

    assert got.count(None) == 1


async def test_what_a_gitops_tool_keeps_is_not_changed_live() -> None:
    house = House()
    house.dials.owners["cart"] = "argocd application shop"

    dossier = await house.propose(cart=3)

    assert isinstance(dossier.judgement, Denied)
    assert "argocd application shop" in dossier.judgement.reason
    assert isinstance(await house.control.approve(dossier.plan.id, by=ADA), Denied)


async def test_a_rejected_plan_is_never_carried_out() -> None:
    house = House()
    name = await house.approved(cart=3)

    rejected = await house.control.reject(name, by=BOB, why="not tonight")

    assert rejected.notes[-1] == "bob rejected it: not tonight"
    assert isinstance(await house.run(name), Denied)
    with pytest.raises(BadInput, match="rejected"):
        await house.control.reject(name, by=BOB)


async def test_only_roles_that_policy_names_approve_and_only_in_their_tenant() -> None:
    house = House()
    house.policy_text += "approver_roles: [admin]\n"
    name = (await house.propose(cart=3)).plan.id

    assert isinstance(await house.control.approve(name, by=ADA), Denied)
    other = Principal(name="eve", role=Role.ADMIN, tenant="elsewhere")
    with pytest.raises(NotFound, match="no plan"):
        await house.control.approve(name, by=other)
    lead = Principal(name="eve", role=Role.ADMIN)
    assert isinstance(await house.control.approve(name, by=lead), Dossier)


async def test_a_plan_needs_a_reason_a_step_and_a_name_that_is_known() -> None:
    house = House()

    with pytest.raises(BadInput, match="at least one step"):
        await house.propose()
    with pytest.raises(BadInput, match="why"):
        await house.control.propose(Proposal(orders=(), why=" "), by=ADA)
    with pytest.raises(NotFound):
        await house.run("plan-0")


async def test_two_yes_at_once_are_not_lost_unseen() -> None:
    house = House(risk=Risk.DESTRUCTIVE)
    name = (await house.propose(cart=3)).plan.id

    both = await asyncio.gather(
        house.control.approve(name, by=ADA),
        house.control.approve(name, by=BOB),
        return_exceptions=True,
    )

    assert [isinstance(one, Conflict) for one in both].count(True) == 1


async def test_a_ledger_lost_while_a_plan_runs_stops_it_before_the_next_change() -> None:
    house = House()
    name = await house.approved(cart=3, pay=6)
    # Running, two resources held, step one begun, then full.
    house.ledger.full_after = 4

    with pytest.raises(Unreachable):
        await house.run(name)

    assert house.dials.dials["pay"] == 5


async def test_a_target_that_went_away_is_not_changed_and_said() -> None:
    house = House()
    name = await house.approved(cart=3)
    house.dials.broken.add("cart")

    outcome = await house.run(name)

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.UNDONE
    assert "does not answer" in outcome.says


async def test_nobody_approves_by_a_policy_that_cannot_be_read() -> None:
    house = House()
    name = (await house.propose(cart=3)).plan.id
    house.policy_text = "nonsense"

    answer = await house.control.approve(name, by=ADA)

    assert isinstance(answer, Denied)
    assert answer.rule == "policy"


async def test_when_nobody_can_say_what_was_earned_nothing_was() -> None:
    house = House()

    async def lost() -> Mapping[str, Autonomy]:
        raise Unreachable("The ledger cannot be used.")

    house.earned = lost
    dossier = await house.propose(cart=3)

    assert isinstance(dossier.judgement, Denied)


CHECK = Check(kind=CheckKind.QUIET, subject="up == 0", within_s=60, holds_s=20)


@pytest.mark.parametrize(
    ("looks", "state", "says"),
    [
        ([True], PlanState.DONE, "It helped: quiet"),
        ([False, False, True], PlanState.DONE, "It helped"),
        ([False], PlanState.UNDONE, "loud after 60 s"),
        ([True, False] * 50, PlanState.UNDONE, "loud after 60 s"),
        ([], PlanState.UNDONE, "could not be looked at"),
    ],
)
async def test_what_did_not_help_is_undone(looks: list[bool], state: PlanState, says: str) -> None:
    house = House()
    house.checks, house.quiet = (CHECK,), looks

    outcome = await house.run(await house.approved(cart=3))

    assert isinstance(outcome, Outcome)
    assert outcome.state is state
    assert says in outcome.says
    assert house.dials.dials["cart"] == (3 if state is PlanState.DONE else 1)


async def test_a_weight_is_widened_wave_by_wave_while_the_checks_hold() -> None:
    house = House()

    outcome = await house.run(await house.ramp("cart", 5, 25, 100, waves=(1, 2)))

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.DONE
    assert house.dials.dials["cart"] == 100
    assert house.dials.turns == 3


async def test_a_regression_after_the_canary_undoes_it_and_widens_nothing() -> None:
    house = House()
    house.quiet = [False]

    outcome = await house.run(await house.ramp("cart", 5, 25, 100, waves=(1, 2)))

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.UNDONE
    assert "the next wave is not begun" in outcome.says
    assert house.dials.dials["cart"] == 1
    assert house.dials.turns == 2


async def test_a_later_wave_that_fails_takes_all_of_them_back() -> None:
    house = House()
    name = await house.ramp("cart", 5, 25, 100, waves=(1, 1, 1))
    house.quiet = [True] * 12 + [False]

    outcome = await house.run(name)

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.UNDONE
    assert house.dials.dials["cart"] == 1


async def test_somebody_else_turning_between_waves_stops_them() -> None:
    house = House()
    name = await house.ramp("cart", 5, 25, waves=(1, 1))

    async def meddle(seconds: float) -> None:
        house.clock.passes(seconds)
        house.dials.dials["cart"] = 77

    house.control._watcher = Watcher(  # noqa: SLF001 - time in which somebody meddles
        probe=house._probe,  # noqa: SLF001
        clock=lambda: house.clock.now,
        sleep=meddle,
    )
    outcome = await house.run(name)

    assert isinstance(outcome, Outcome)
    assert "has changed" in outcome.says


def test_waves_cover_each_step_once() -> None:
    step = Step(
        order=Order(action="dial.turn", target=Entity.service("cart")),
        risk=Risk.CHANGE,
        resource="cart",
        version="1",
        preview="",
    )
    for waves in ((1,), (1, 2), (2, 0), (3, -1)):
        with pytest.raises(BadInput, match="waves"):
            Plan(steps=(step, step), why="w", made_at=NOON, made_by="ada", waves=waves)
    assert widening(7) == (1, 2, 4)
    assert widening(1) == (1,)


async def test_a_plan_that_is_done_can_be_taken_back_once() -> None:
    house = House()
    name = await house.approved(cart=3, pay=6)
    await house.run(name)

    outcome = await house.control.undo(name, by=BOB)
    again = await house.control.undo(name, by=BOB)

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.UNDONE
    assert house.dials.dials == {"cart": 1, "pay": 5}
    assert isinstance(again, Denied)


async def test_what_a_dead_process_left_is_found_and_taken_back() -> None:
    house = House()
    name = await house.approved(cart=3, pay=6)
    house.ledger.full_after = 6  # dies between the steps, with nothing given back
    with pytest.raises(Unreachable):
        await house.run(name)
    house.ledger.full_after = 1_000

    early = await house.control.undo(name, by=ADA)
    house.clock.passes(3600)
    (left,) = await house.control.abandoned()
    outcome = await house.control.undo(name, by=ADA)

    assert isinstance(early, Denied)
    assert left.plan.id == name
    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.UNDONE
    assert house.dials.dials == {"cart": 1, "pay": 5}
    assert await house.control.abandoned() == ()


async def test_a_plan_whose_checks_are_being_watched_is_nobody_elses_to_undo() -> None:
    house = House()
    house.checks = (CHECK,)
    name = await house.approved(cart=3)
    seen: list[object] = []

    async def meddle() -> None:
        seen.extend([await house.control.abandoned(), await house.control.undo(name, by=ADA)])

    house.meanwhile = meddle
    outcome = await house.run(name)

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.DONE
    assert seen[0] == ()
    assert isinstance(seen[1], Denied)


async def test_an_undo_waits_for_its_resource_and_asks_who_may() -> None:
    house = House()
    name = await house.approved(cart=3)
    assert isinstance(await house.control.undo(name, by=ADA), Denied)
    await house.run(name)
    now, lease = house.clock.now, timedelta(seconds=10)
    await hold(house.ledger, "service:cart", plan="other", now=now, lease=lease)

    busy = await house.control.undo(name, by=ADA)
    house.clock.passes(60)
    with pytest.raises(NotFound, match="no plan"):
        await house.control.undo(name, by=Principal(name="eve", tenant="elsewhere"))
    house.policy_text += "approver_roles: [admin]\n"
    unfit = await house.control.undo(name, by=ADA)
    house.policy_text = "nonsense"
    blind = await house.control.undo(name, by=ADA)

    assert isinstance(busy, Outcome)
    assert "held by other" in busy.says
    assert [isinstance(one, Denied) for one in (unfit, blind)] == [True] * 2
    assert house.dials.dials["cart"] == 3


DOUBTS = ("policy", "ledger full", "ledger locked", "clock", "queue", "approvals")


@pytest.mark.parametrize("action", BUILT_IN, ids=lambda one: one.spec.name)
@pytest.mark.parametrize("doubt", DOUBTS)
async def test_whatever_is_in_doubt_closes_the_door(doubt: str, action: Action) -> None:
    """Every action there is, by its name, its risk and whether it can be undone."""
    spec = action.spec
    house = House(risk=spec.risk, irreversible=spec.irreversible, named=spec.name)
    name = await house.approved(ADA, BOB, cart=3)
    await _break(house, doubt, name)

    answer = await house.run(name)

    assert isinstance(answer, Denied), doubt
    assert house.dials.turns == 0


@pytest.mark.parametrize("doubt", ["policy", "ledger locked"])
async def test_a_read_without_a_plan_is_refused_in_doubt_too(doubt: str) -> None:
    house = House(risk=Risk.READ)
    house.earned = house.autonomy_on_the_ledger
    await _break(house, doubt, "")
    order = Order(action=TURN, target=Entity.service("cart"), values={"to": 3})

    assert isinstance(await house.control.read(order, by=ADA), Denied)
    assert house.dials.turns == 0


async def test_what_its_way_refused_was_never_begun_and_is_not_undone() -> None:
    house = House()
    name = await house.approved(cart=3, pay=6)
    house.dials.full.add("pay")

    outcome = await house.run(name)

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.UNDONE
    assert [act.order.target.name for act in outcome.acts] == ["cart"]
    assert (await house.control.acts(name, by=ADA))[1].state is ActState.NOT_BEGUN
    assert house.dials.turned == ["cart", "cart"]


async def _break(house: House, doubt: str, name: str) -> None:
    match doubt:
        case "policy":
            house.policy_text = "rules: nonsense"
        case "ledger full":
            house.ledger.full_after = 0
        case "ledger locked":
            house.ledger.gone = True
        case "clock":
            house.clock.is_set(3600)
        case "queue":
            house.queue_up = False
        case _:
            await _lose_approvals(house, name)


async def _lose_approvals(house: House, name: str) -> None:
    """Approvals are part of the plan's newest state; without it there is nothing to run."""
    newest = await house.ledger.read(Wanted(kind=PLAN, subject=name, latest=True))
    body = newest[0].entry.body.replace('"approved"', '"rejected"')
    torn = Entry(kind=PLAN, subject=name, body=body, at=house.clock.now)
    seen = Seen(kind=PLAN, subject=name, seq=newest[0].seq)
    await house.ledger.append([torn], durable=True, seen=[seen])
