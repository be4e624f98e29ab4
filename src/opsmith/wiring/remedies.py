"""Remedies: runbooks, autonomy and the kept answers of incidents, joined to the change control."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from opsmith.audit.states import INCIDENT, to_incident
from opsmith.errors import NotFound, Unreachable
from opsmith.flows.autonomy import levels, set_level, standings
from opsmith.flows.change_control import ChangeControl, Proposal
from opsmith.flows.remediate import Library, Remedies
from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.plan import Autonomy, Check, Denied, Dossier, Grant, Order, Outcome
from opsmith.nouns.session import Principal
from opsmith.plan.autonomy import Standing
from opsmith.seams.ledger import Ledger, Wanted
from opsmith.seams.metrics import Metrics
from opsmith.settings import Settings
from opsmith.wiring.act import actions, desk, now
from opsmith.wiring.rules import runbooks
from opsmith.wiring.sessions import os_user

OPSMITH = Principal(name="opsmith")


class Hands:
    """The change control in the name of one principal."""

    def __init__(self, control: ChangeControl, *, by: Principal) -> None:
        self._control = control
        self._by = by

    async def plan_for(
        self, incident: str, orders: tuple[Order, ...], checks: tuple[Check, ...], *, why: str
    ) -> Dossier:
        """Rehearse, judge and keep a plan that answers an incident."""
        proposal = Proposal(orders=orders, why=why, incident=incident, checks=checks)
        return await self._control.propose(proposal, by=self._by)

    async def run(self, name: str) -> Outcome | Denied:
        """Carry it out, if policy lets it through as it is."""
        return await self._control.run(name, by=self._by)

    async def takes(self, order: Order) -> bool:
        """Whether a rehearsal finds the target and nothing wrong."""
        return await self._control.takes(order)


def remedies(
    settings: Settings,
    control: ChangeControl,
    *,
    ledger: Ledger,
    metrics: Metrics | None,
    by: Principal = OPSMITH,
) -> Remedies:
    """What answers incidents by runbooks, in the name of `by`."""

    async def loud(expression: str) -> bool:
        if metrics is None:
            raise Unreachable("No metrics server is configured.")
        return bool(await metrics.query(expression, at=now()))

    library = Library(
        runbooks=lambda: runbooks(settings.runbooks_file),
        evidence=lambda name: evidence(settings.data_dir / "incidents" / name / "answer.json"),
        autonomy=lambda: levels(ledger),
        loud=loud,
    )
    return Remedies(ledger, control=Hands(control, by=by), library=library, clock=now)


async def plan_incident(settings: Settings, name: str) -> Dossier:
    """The plan that the fitting runbook makes for an incident. Raises `NotFound`."""
    async with desk(settings) as house:
        wanted = Wanted(kind=INCIDENT, subject=name, latest=True, limit=1)
        found = await house.ledger.read(wanted)
        if not found:
            raise NotFound(f"There is no incident {name[:80]!r}.", hint="See `incident list`.")
        made = remedies(
            settings,
            house.control,
            ledger=house.ledger,
            metrics=house.metrics,
            by=os_user(),
        )
        return await made.propose(to_incident(found[0]))


async def autonomy_list(settings: Settings) -> tuple[Standing, ...]:
    """Where each class of actions stands, those that were never tried too."""
    async with _ledger(settings) as ledger:
        known = {one.action: one for one in await standings(ledger)}
    fresh = [one.spec.name for one in actions() if one.spec.name not in known]
    return (*known.values(), *(unknown(name) for name in fresh))


async def autonomy_set(settings: Settings, action: str, level: Autonomy) -> Grant | Denied:
    """Let a class go so far. Raises `NotFound` for an action that there is not."""
    actions().get(action)
    async with _ledger(settings) as ledger:
        return await set_level(ledger, action, level, by=os_user().name, now=now())


def unknown(action: str) -> Standing:
    """Where a class stands that was never tried."""
    return Standing(
        action=action,
        level=Autonomy.ASK,
        asked=Autonomy.ASK,
        good=0,
        bad=0,
        likely=0.0,
        why="never tried",
    )


def evidence(answer: Path) -> frozenset[Channel]:
    """The channels that the likeliest cause rests on; none when no answer was kept."""
    try:
        told = json.loads(answer.read_text(encoding="utf-8"))
        facts = told["causes"][0]["evidence"]
        return frozenset(Channel(fact["channel"]) for fact in facts)
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return frozenset()


@asynccontextmanager
async def _ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with desk(settings) as house:
        yield house.ledger
