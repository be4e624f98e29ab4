"""carry_out: the steps of an approved plan, one after the other, each on the ledger before it.

A step that fails, or does not do what it should, is undone, and so are the steps before it, last
first. Whatever happens to this process, the ledger says what was begun and what an undo needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate

from opsmith.errors import NotBegun, OpsmithError
from opsmith.execute.action import Action, Finding, Preview, World
from opsmith.execute.registry import Registry
from opsmith.execute.resources import hold, let_go
from opsmith.nouns.plan import Act, ActState, ApprovedPlan, Outcome, Plan, PlanState, Step
from opsmith.nouns.task import Risk
from opsmith.seams.ledger import Ledger

# A step is looked at, done, looked at again and perhaps undone, each within its deadline.
LEASE_DEADLINES = 4
LEASE_SLACK = timedelta(seconds=30)

_OVER = frozenset({ActState.UNDONE, ActState.NOT_BEGUN})

Note = Callable[[Act], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What steps are carried out with.

    note: puts the state of a step on the ledger, durably; when it fails, nothing is done.
    clock: the time, UTC-aware. between: watches the plan's checks after a wave that others
    follow.
    """

    actions: Registry
    world: World
    ledger: Ledger
    note: Note
    clock: Callable[[], datetime]
    between: Callable[[], Awaitable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A step that was begun, with what its undo needs."""

    action: Action
    step: Step
    preview: Preview
    act: Act


async def carry_out(approved: ApprovedPlan, site: Site) -> Outcome:
    """Do every step, or undo those that were done. What the ledger refuses is not done.

    Raises `Unreachable` when the ledger stops answering between steps: what was begun is on it.
    """
    held: list[str] = []
    try:
        holder = await _take_all(approved.plan, held, site)
        if holder:
            return Outcome(plan=approved.plan.id, state=PlanState.FAILED, says=holder)
        return await _steps(approved, site)
    finally:
        for key in held:
            await let_go(site.ledger, key, plan=approved.plan.id, now=site.clock())


async def take_back(plan: Plan, acts: Sequence[Act], site: Site, *, why: str) -> Outcome:
    """Undo what was begun of a plan, last first: because it did not help, or nobody ended it.

    Raises as `carry_out` does.
    """
    held: list[str] = []
    try:
        holder = await _take_all(plan, held, site)
        if holder:
            return Outcome(plan=plan.id, state=PlanState.FAILED, says=holder, acts=tuple(acts))
        begun = [_begun(plan, act, site) for act in acts if act.state not in _OVER]
        return await _stop(plan, begun, why, site)
    finally:
        for key in held:
            await let_go(site.ledger, key, plan=plan.id, now=site.clock())


def _begun(plan: Plan, act: Act, site: Site) -> _Begun:
    """A step as the ledger knows it; an undo needs no more than that."""
    step = plan.steps[act.number]
    preview = Preview(version=step.version, says=step.preview, before=act.before, plan=plan.id)
    return _Begun(action=site.actions.get(act.order.action), step=step, preview=preview, act=act)


async def _take_all(plan: Plan, held: list[str], site: Site) -> str:
    """Hold every resource until the last undo, in one order for all plans so that none waits.

    Gives why not, empty when all are held.
    """
    deadlines = sum(site.actions.get(one.order.action).spec.deadline_s for one in plan.steps)
    watching = max((one.within_s + one.holds_s for one in plan.checks), default=0.0)
    lease = LEASE_SLACK + timedelta(seconds=LEASE_DEADLINES * deadlines + watching)
    for key in sorted(frozenset[str]().union(*(step.keys for step in plan.steps))):
        holder = await hold(
            site.ledger, key, plan=plan.id, now=site.clock(), lease=lease, tenant=plan.tenant
        )
        if holder is not None:
            return f"{key} is held by {holder}; nothing was done."
        held.append(key)
    return ""


async def _steps(approved: ApprovedPlan, site: Site) -> Outcome:
    """Step by step, and wave by wave: what a wave breaks is undone before the next begins."""
    plan, done = approved.plan, list[_Begun]()
    ends = frozenset(accumulate(plan.waves[:-1]))
    moved: dict[str, str] = {}
    for number, step in enumerate(plan.steps):
        trouble = await _between(plan, site) if number in ends else ""
        if trouble:
            return await _stop(plan, done, f"After step {number}: {trouble}", site)
        begun, trouble = await _one(plan, number, moved.get(step.resource, step.version), site)
        if begun is not None:
            done.append(begun)
        if trouble:
            return await _stop(plan, done, f"Step {number + 1}: {trouble}", site)
        await _follow(plan, number, moved, site)
    acts = tuple(begun.act for begun in done)
    says = f"{len(acts)} of {len(acts)} steps done and verified."
    return Outcome(plan=plan.id, state=PlanState.DONE, says=says, acts=acts)


async def _between(plan: Plan, site: Site) -> str:
    """Hold on to what is held while the checks are watched; why not to go on, or nothing."""
    finding = await site.between()
    if not finding.holds:
        return f"{finding.says}; the next wave is not begun."
    return await _take_all(plan, [], site)


async def _follow(plan: Plan, number: int, moved: dict[str, str], site: Site) -> None:
    """A later step on the same resource starts from what this one left, not from the plan."""
    resource = plan.steps[number].resource
    later = next((one for one in plan.steps[number + 1 :] if one.resource == resource), None)
    if later is None:
        return
    action = site.actions.get(later.order.action)
    with suppress(OpsmithError, TimeoutError):  # the step itself looks again, and says so
        async with asyncio.timeout(action.spec.deadline_s):
            moved[resource] = (await action.dry_run(later.order, site.world)).version


async def _one(plan: Plan, number: int, version: str, site: Site) -> tuple[_Begun | None, str]:
    """One step: (what was begun, what went wrong); not begun when it is not as it was planned.

    version: what its target must be like.
    """
    step = plan.steps[number]
    action = site.actions.checked(step.order)
    within = action.spec.deadline_s
    try:
        async with asyncio.timeout(within):
            preview = replace(await action.dry_run(step.order, site.world), plan=plan.id)
    except (OpsmithError, TimeoutError) as error:
        return None, _said(error)
    if preview.version != version:
        return None, f"{step.order.target} has changed since the plan was made; plan again."
    begun = _Begun(action=action, step=step, preview=preview, act=_started(plan, number, preview))
    await site.note(begun.act)
    try:
        async with asyncio.timeout(within):
            says = await action.apply(step.order, preview, site.world)
    except NotBegun as error:
        await _kept(begun, ActState.NOT_BEGUN, str(error), site)
        return None, str(error)
    except (OpsmithError, TimeoutError) as error:
        return await _kept(begun, ActState.FAILED, _said(error), site), _said(error)
    return await _verified(await _kept(begun, ActState.APPLIED, says, site), site)


def _started(plan: Plan, number: int, preview: Preview) -> Act:
    return Act(
        plan=plan.id,
        number=number,
        order=plan.steps[number].order,
        state=ActState.STARTED,
        before=preview.before,
    )


async def _verified(begun: _Begun, site: Site) -> tuple[_Begun, str]:
    try:
        async with asyncio.timeout(begun.action.spec.deadline_s):
            finding = await begun.action.verify(begun.step.order, begun.preview, site.world)
    except (OpsmithError, TimeoutError) as error:
        return begun, f"it could not be verified: {_said(error)}"
    if not finding.holds:
        return begun, finding.says
    says = f"{begun.act.says}; {finding.says}"
    return await _kept(begun, ActState.VERIFIED, says, site), ""


async def _stop(plan: Plan, done: Sequence[_Begun], why: str, site: Site) -> Outcome:
    """Undo what was begun, last first; what cannot be undone is said, what only read is left."""
    changes = [begun for begun in done if begun.step.risk is not Risk.READ]
    acts = [await _undone(begun, site) for begun in reversed(changes)]
    left = [act for act in acts if act.state is not ActState.UNDONE]
    state = PlanState.FAILED if left or (done and not changes) else PlanState.UNDONE
    tail = "".join(f" Step {act.number + 1} stays as it is: {act.says}" for act in left)
    says = why + (tail or (" What was done before is undone." if acts else ""))
    after = {begun.act.number: begun.act for begun in done} | {act.number: act for act in acts}
    return Outcome(
        plan=plan.id, state=state, says=says, acts=tuple(after[number] for number in sorted(after))
    )


async def _undone(begun: _Begun, site: Site) -> Act:
    if begun.step.irreversible:
        says = f"{begun.act.says} It cannot be undone: {begun.step.irreversible}".strip()
        return replace(begun.act, says=says)
    try:
        async with asyncio.timeout(begun.action.spec.deadline_s):
            says = await begun.action.undo(begun.step.order, begun.preview, site.world)
    except (OpsmithError, TimeoutError) as error:
        return (await _kept(begun, ActState.UNDO_FAILED, _said(error), site)).act
    return (await _kept(begun, ActState.UNDONE, says, site)).act


async def _kept(begun: _Begun, state: ActState, says: str, site: Site) -> _Begun:
    act = replace(begun.act, state=state, says=says)
    await site.note(act)
    return replace(begun, act=act)


def _said(error: OpsmithError | TimeoutError) -> str:
    return str(error) if isinstance(error, OpsmithError) else "the deadline passed."
