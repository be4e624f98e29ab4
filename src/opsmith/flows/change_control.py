"""change_control: a plan is proposed, judged, approved, carried out; each state on the ledger.

Whatever is in doubt closes the door: an unreadable policy, a ledger that does not write, a clock
that jumped, approvals that are gone, a queue that does not answer. Then the answer is `Denied`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from opsmith.audit.states import ACT, PLAN, of_act, of_dossier, of_tried, to_act, to_dossier
from opsmith.audit.trail import marks
from opsmith.errors import AskError, BadInput, Conflict, NotFound, OpsmithError, WorldError
from opsmith.execute.action import Finding, Preview, World
from opsmith.execute.carry_out import Site, carry_out, take_back
from opsmith.execute.registry import Registry
from opsmith.execute.resources import holder_of
from opsmith.execute.settle import Watcher, settle
from opsmith.nouns.clock import SLACK, Clock
from opsmith.nouns.plan import (
    OPEN,
    Act,
    Autonomy,
    Check,
    Denied,
    Dossier,
    Judgement,
    Mark,
    NeedsApproval,
    Order,
    Outcome,
    Plan,
    PlanState,
    Step,
    Tried,
)
from opsmith.nouns.record import Record
from opsmith.nouns.session import Principal
from opsmith.nouns.task import Risk, highest
from opsmith.plan.approvals import approve, leave
from opsmith.plan.judge import Circumstances, judge
from opsmith.plan.policy import Policy
from opsmith.seams.ledger import Ledger, Seen, Wanted

# How many plans are shown; older ones are reached by their id.
MOST_SHOWN = 10_000
# A look at a check that is under way when its time is over may take so long, and the write too.
LAST_LOOKS = timedelta(seconds=60)
NAMELESS = (
    "It takes several people, each under a name of their own, and a key that is shared names"
    " nobody; `opsmith principal add` gives each a key."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody wants done, and why. checks: how it is told whether it helped.

    waves: how many orders go before the checks are watched each time; empty for all at once.
    """

    orders: tuple[Order, ...]
    why: str
    incident: str = ""
    checks: tuple[Check, ...] = ()
    waves: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What must be beyond doubt before anything is done.

    policy: reads the policy anew; raises `OpsmithError` when it cannot. clock: both clocks.
    autonomy: how far each class of actions may go by itself.
    others: each raises `OpsmithError` when what it is named for does not answer.
    """

    policy: Callable[[], Policy]
    clock: Callable[[], Clock]
    autonomy: Callable[[], Awaitable[Mapping[str, Autonomy]]]
    others: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)


class ChangeControl:
    """Takes a plan from its proposal to its outcome.

    actions, ways: what can be done, and what leads to targets.
    watcher: looks at a plan's checks after its steps.
    fresh_name: gives names for approvals that nobody can guess.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        actions: Registry,
        world: World,
        guards: Guards,
        watcher: Watcher,
        fresh_name: Callable[[], str],
    ) -> None:
        self.actions = actions
        self.ways = world
        self._ledger = ledger
        self._guards = guards
        self._fresh_name = fresh_name
        self._watcher = watcher

    async def propose(self, proposal: Proposal, *, by: Principal) -> Dossier:
        """Rehearse every step, judge the plan and keep it.

        Raises `BadInput` or `NotFound` for an order that no action takes, `Unreachable` when a
        target cannot be looked at or the ledger does not write.
        """
        if not proposal.why.strip():
            raise BadInput("A plan says why it is made.")
        clock = self._guards.clock()
        steps = [await self._rehearsed(order) for order in proposal.orders]
        # Nothing live is changed where each owner gets a patch, so no check could tell anything.
        live = any(step.order in proposal.orders for step, _ in steps)
        plan = Plan(
            steps=tuple(step for step, _ in steps),
            why=proposal.why,
            made_at=clock.now,
            made_by=by.name,
            tenant=by.tenant,
            incident=proposal.incident,
            checks=proposal.checks if live else (),
            waves=proposal.waves if live else (),
        )
        owners = sorted({owner for _, owner in steps if owner})
        judgement = _owned(owners) if owners else await self._judge(plan, by, clock)
        dossier = Dossier(
            plan=plan, state=PlanState.PROPOSED, judgement=judgement, clock=str(clock)
        )
        await self._keep(dossier, by=by, seen=0)
        return dossier

    async def judged(self, dossier: Dossier, *, by: Principal) -> Judgement:
        """What policy says of a plan now, which it may have said otherwise when it was made."""
        return await self._judge(dossier.plan, _proposer(dossier, by), self._guards.clock())

    async def read(self, order: Order, *, by: Principal) -> Finding | Denied:
        """Carry out one order that only reads; policy is asked, and no plan is kept.

        A world that fails is found, not raised. Raises as `propose` does, and `BadInput` for an
        order that would change something.
        """
        action = self.actions.checked(order)
        clock = self._guards.clock()
        step, _ = await self._rehearsed(order)
        if step.risk is not Risk.READ:
            raise BadInput(f"{order.action} changes something; that takes a plan.")
        plan = Plan(
            steps=(step,), why="to read", made_at=clock.now, made_by=by.name, tenant=by.tenant
        )
        judgement = await self._judge(plan, by, clock)
        if isinstance(judgement, NeedsApproval):
            reason = "Policy wants an approval for it; make a plan."
            return Denied(rule=judgement.rule, reason=reason)
        if isinstance(judgement, Denied):
            return judgement
        preview = Preview(version=step.version, says=step.preview, before={})
        try:
            return Finding(holds=True, says=await action.apply(order, preview, self.ways))
        except WorldError as error:
            return Finding(holds=False, says=str(error))

    async def takes(self, order: Order) -> bool:
        """Whether a way leads to the target and a rehearsal finds nothing wrong with the order.

        Raises `Unreachable` when the target cannot be looked at.
        """
        try:
            await self._rehearsed(order)
        except AskError:
            return False
        return True

    async def plans(self, *, by: Principal) -> tuple[Dossier, ...]:
        """Every plan that `by` sees as it stands, the one that changed last first."""
        return tuple(one for one in await self._all() if by.sees(one.plan.tenant))

    async def plan(self, name: str, *, by: Principal) -> Dossier:
        """The plan with this id. Raises `NotFound`, also for one that `by` does not see."""
        return to_dossier(await self._record(name, by))

    async def acts(self, name: str, *, by: Principal) -> tuple[Act, ...]:
        """What was begun of a plan, in order, each as it stands. Raises as `plan` does."""
        steps = (await self.plan(name, by=by)).plan.steps
        found = [
            await self._ledger.read(Wanted(kind=ACT, subject=f"{name}/{n}", latest=True, limit=1))
            for n in range(len(steps))
        ]
        return tuple(to_act(records[0]) for records in found if records)

    async def trail(self, name: str, *, by: Principal) -> tuple[Mark, ...]:
        """Every record that the plan and its steps left, oldest first. Raises as `plan` does."""
        steps = (await self.plan(name, by=by)).plan.steps
        kept = [*await self._ledger.read(Wanted(kind=PLAN, subject=name))]
        for number in range(len(steps)):
            kept += await self._ledger.read(Wanted(kind=ACT, subject=f"{name}/{number}"))
        return marks(sorted(kept, key=lambda one: one.seq))

    async def approve(self, name: str, *, by: Principal) -> Dossier | Denied:
        """Say yes to a plan; it still takes a `run` to carry it out. Raises as `plan` does."""
        record = await self._record(name, by)
        dossier = to_dossier(record)
        try:
            policy = self._guards.policy()
        except OpsmithError as error:
            return Denied(rule="policy", reason=str(error))
        if not policy.lets_approve(by.role):
            return Denied(rule="approver_roles", reason=f"The role {by.role} may not approve.")
        if not by.named and await self._takes_several(dossier, by):
            return Denied(rule="principal", reason=NAMELESS)
        clock = self._guards.clock()
        given = approve(
            dossier,
            approver=by.name,
            clock=clock,
            name=self._fresh_name(),
        )
        if isinstance(given, Denied):
            return given
        approved = replace(
            dossier,
            state=PlanState.APPROVED,
            approvals=(*dossier.approvals, given),
            notes=(*dossier.notes, f"{by.name} approved"),
        )
        await self._keep(approved, by=by, seen=record.seq)
        return approved

    async def reject(self, name: str, *, by: Principal, why: str = "") -> Dossier:
        """Say no; the plan is never carried out. Raises `BadInput` when it is past that."""
        record = await self._record(name, by)
        dossier = to_dossier(record)
        if dossier.state not in OPEN:
            raise BadInput(f"The plan {name} is {dossier.state} and cannot be rejected.")
        note = f"{by.name} rejected it" + (f": {why}" if why else "")
        rejected = replace(dossier, state=PlanState.REJECTED, notes=(*dossier.notes, note))
        await self._keep(rejected, by=by, seen=record.seq)
        return rejected

    async def run(self, name: str, *, by: Principal) -> Outcome | Denied:
        """Carry a plan out, if everything still stands as when it was approved.

        Raises `NotFound`; `Unreachable` when the ledger is lost while it runs.
        """
        try:
            record = await self._record(name, by)
        except NotFound:
            raise
        except OpsmithError as error:
            return Denied(rule="ledger", reason=str(error))
        dossier = to_dossier(record)
        doubt = await self._doubt(dossier)
        if doubt is not None:
            return doubt
        clock = self._guards.clock()
        judgement = await self._judge(dossier.plan, _proposer(dossier, by), clock)
        approved = leave(dossier, judgement, clock=clock)
        if isinstance(approved, Denied):
            return approved
        running = replace(dossier, state=PlanState.RUNNING, judgement=judgement)
        try:
            kept = await self._keep(running, by=by, seen=record.seq)
        except Conflict:
            return Denied(rule="approvals", reason="Somebody else has just used this plan.")
        except OpsmithError as error:
            return Denied(rule="ledger", reason=str(error))
        outcome = await self._checked(
            await carry_out(approved, self._site(by, approved.plan)), approved.plan, by
        )
        await self._end(running, outcome, by=by, seen=kept.seq)
        return outcome

    async def undo(self, name: str, *, by: Principal) -> Outcome | Denied:
        """Take back what a plan did: one that is done, that failed, or that nobody ended.

        The leave that the plan had covers its undo; roles that may not approve may not undo.
        Raises `NotFound`, `Unreachable` when the ledger is lost meanwhile.
        """
        record = await self._record(name, by)
        dossier = to_dossier(record)
        refusal = await self._no_undo(dossier, by)
        if refusal is not None:
            return refusal
        acts = await self.acts(name, by=by)
        taken = replace(dossier, notes=(*dossier.notes, f"{by.name} takes it back"))
        kept = await self._keep(taken, by=by, seen=record.seq)
        outcome = await take_back(
            dossier.plan, acts, self._site(by, dossier.plan), why=f"{by.name} asked."
        )
        await self._end(taken, outcome, by=by, seen=kept.seq)
        return outcome

    async def abandoned(self) -> tuple[Dossier, ...]:
        """Plans that say `running` and that nobody carries out any more: their process died."""
        return tuple([one for one in await self._all() if await self.is_abandoned(one)])

    async def is_abandoned(self, dossier: Dossier) -> bool:
        """Whether a plan says `running` and nobody carries it out any more.

        Nobody does when it holds nothing and wrote nothing for longer than its checks are watched.
        """
        plan, now = dossier.plan, self._guards.clock().now
        if dossier.state is not PlanState.RUNNING or await self._holds_any(plan, now):
            return False
        watched_s = max((one.within_s + one.holds_s for one in plan.checks), default=0.0)
        quiet = now - await self._last_word(plan)
        return quiet > timedelta(seconds=watched_s) + LAST_LOOKS

    async def _takes_several(self, dossier: Dossier, by: Principal) -> bool:
        judgement = await self.judged(dossier, by=by)
        return isinstance(judgement, NeedsApproval) and judgement.approvers > 1

    async def _no_undo(self, dossier: Dossier, by: Principal) -> Denied | None:
        if dossier.state is PlanState.RUNNING and not await self.is_abandoned(dossier):
            return Denied(rule="plan", reason="The plan is being carried out right now.")
        if dossier.state in {*OPEN, PlanState.REJECTED, PlanState.UNDONE}:
            return Denied(rule="plan", reason=f"The plan is {dossier.state}; nothing to undo.")
        try:
            policy = self._guards.policy()
        except OpsmithError as error:
            return Denied(rule="policy", reason=str(error))
        if not policy.lets_approve(by.role):
            return Denied(rule="approver_roles", reason=f"The role {by.role} may not undo.")
        return await self._others_in_doubt()

    async def _holds_any(self, plan: Plan, now: datetime) -> bool:
        """Whether one of its resources is still held for it."""
        keys = frozenset[str]().union(*(step.keys for step in plan.steps))
        holders = [await holder_of(self._ledger, key, now=now) for key in sorted(keys)]
        return plan.id in holders

    async def _last_word(self, plan: Plan) -> datetime:
        """When the plan or one of its steps was last written of."""
        subjects = [(PLAN, plan.id), *((ACT, f"{plan.id}/{n}") for n in range(len(plan.steps)))]
        wanted = [Wanted(kind=kind, subject=one, latest=True, limit=1) for kind, one in subjects]
        found = [record for one in wanted for record in await self._ledger.read(one)]
        return max(record.entry.at for record in found)

    async def _checked(self, outcome: Outcome, plan: Plan, by: Principal) -> Outcome:
        """What was done and did not help is taken back."""
        if outcome.state is not PlanState.DONE or not plan.checks:
            return outcome
        finding = await settle(plan.checks, self._watcher)
        if finding.holds:
            return replace(outcome, says=f"{outcome.says} It helped: {finding.says}.")
        why = f"It did not help: {finding.says}."
        return await take_back(plan, outcome.acts, self._site(by, plan), why=why)

    async def _end(self, dossier: Dossier, outcome: Outcome, *, by: Principal, seen: int) -> None:
        """The plan's last state, and what it says of its classes of actions, in one write."""
        ended = replace(dossier, state=outcome.state, notes=(*dossier.notes, outcome.says))
        tried = _tried(ended.plan, outcome, at=self._guards.clock().now)
        await self._keep(ended, by=by, seen=seen, also=tried)

    async def _rehearsed(self, order: Order) -> tuple[Step, str]:
        """One order as a step; as a patch for the target's owner where there is such a patch."""
        action = self.actions.checked(order)
        preview = await action.dry_run(order, self.ways)
        if preview.owner and preview.instead is not None:
            return await self._rehearsed(preview.instead)
        step = Step(
            order=order,
            risk=highest([action.spec.risk, preview.risk]),
            resource=action.resource(order),
            version=preview.version,
            preview=preview.says,
            irreversible=action.spec.irreversible or preview.irreversible,
            members=preview.members,
            more=tuple(action.resource(replace(order, target=one)) for one in preview.members),
        )
        return step, preview.owner

    async def _judge(self, plan: Plan, by: Principal, clock: Clock) -> Judgement:
        try:
            policy = self._guards.policy()
        except OpsmithError as error:
            return Denied(rule="policy", reason=str(error))
        try:
            autonomy = await self._guards.autonomy()
        except OpsmithError as error:
            return Denied(rule="ledger", reason=str(error))
        circumstances = Circumstances(
            principal=by.name, role=by.role, at=clock.now, autonomy=autonomy
        )
        return judge(plan, policy, circumstances)

    async def _doubt(self, dossier: Dossier) -> Denied | None:
        """The first thing that is in doubt, if any."""
        clock = self._guards.clock()
        if clock.now < dossier.plan.made_at - SLACK or clock.jumped_since(dossier.clock):
            return Denied(rule="clock", reason="The clock was set since the plan was made.")
        return await self._others_in_doubt()

    async def _others_in_doubt(self) -> Denied | None:
        for name, probe in self._guards.others.items():
            try:
                await probe()
            except OpsmithError as error:
                return Denied(rule=name, reason=str(error))
        return None

    def _site(self, by: Principal, plan: Plan) -> Site:
        async def note(act: Act) -> None:
            now = self._guards.clock().now
            entry = of_act(act, at=now, principal=by.name, tenant=plan.tenant)
            await self._ledger.append([entry], durable=True)

        return Site(
            actions=self.actions,
            world=self.ways,
            ledger=self._ledger,
            note=note,
            clock=lambda: self._guards.clock().now,
            between=lambda: settle(plan.checks, self._watcher),
        )

    async def _all(self) -> tuple[Dossier, ...]:
        wanted = Wanted(kind=PLAN, latest=True, limit=MOST_SHOWN)
        return tuple(to_dossier(record) for record in reversed(await self._ledger.read(wanted)))

    async def _record(self, name: str, by: Principal) -> Record:
        found = await self._ledger.read(Wanted(kind=PLAN, subject=name, latest=True, limit=1))
        if not found or not by.sees(found[0].entry.tenant):
            raise NotFound(f"There is no plan {name[:80]!r}.", hint="See `opsmith plans list`.")
        return found[0]

    async def _keep(
        self, dossier: Dossier, *, by: Principal, seen: int, also: Sequence[Tried] = ()
    ) -> Record:
        """Write the new state of a plan over the one that was seen. Raises `Conflict`."""
        entry = of_dossier(dossier, at=self._guards.clock().now, principal=by.name)
        expected = Seen(kind=PLAN, subject=dossier.plan.id, seq=seen)
        more = [of_tried(one, principal=by.name) for one in also]
        records = await self._ledger.append([entry, *more], durable=True, seen=[expected])
        return records[0]


def _owned(owners: Sequence[str]) -> Denied:
    """What a GitOps tool keeps would be changed back; its owner wants a patch instead."""
    return Denied(
        rule="owner",
        reason=f"The target is kept as it is by {', '.join(owners)}; give its owner a patch.",
    )


def _tried(plan: Plan, outcome: Outcome, *, at: datetime) -> tuple[Tried, ...]:
    """A plan that said how to tell whether it helped, and began, counts for each of its classes.

    The last word counts: one that is taken back later did not help.
    """
    if not plan.checks or not outcome.acts:
        return ()
    helped = outcome.state is PlanState.DONE
    names = dict.fromkeys(step.order.action for step in plan.steps)
    return tuple(Tried(action=name, plan=plan.id, helped=helped, at=at) for name in names)


def _proposer(dossier: Dossier, by: Principal) -> Principal:
    """Policy asks about who proposed it, in the role of whoever runs it now."""
    return replace(by, name=dossier.plan.made_by)
