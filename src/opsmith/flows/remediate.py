"""remediate: from a diagnosed incident by its runbook to a plan, and as far as autonomy goes.

In shadow mode nothing is planned; what would have been done is kept, and once a person confirms
the cause it counts for or against the class of actions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from opsmith.audit.states import (
    ALERT,
    PLAN,
    REMEDY,
    of_remedy,
    of_tried,
    to_dossier,
    to_episode,
    to_remedy,
)
from opsmith.errors import NotFound, WorldError
from opsmith.nouns.diagnosis import Channel, Status
from opsmith.nouns.episode import Episode
from opsmith.nouns.incident import ENDED, Incident, Member
from opsmith.nouns.plan import (
    Allowed,
    Autonomy,
    Check,
    CheckKind,
    Denied,
    Dossier,
    Order,
    Outcome,
    PlanState,
    Tried,
)
from opsmith.nouns.remedy import Remedy
from opsmith.nouns.sign import ANOMALOUS
from opsmith.plan.runbooks import Case, Runbook, checks, fitting, orders
from opsmith.seams.ledger import Ledger, Wanted

# Labels that say which alert it is, beside its name; Prometheus keeps them on `ALERTS`.
_NOT_ASKED = frozenset({"alertname", "alertstate", "__name__"})


class Control(Protocol):
    """What carries plans from proposal to outcome."""

    async def plan_for(
        self, incident: str, orders: tuple[Order, ...], checks: tuple[Check, ...], *, why: str
    ) -> Dossier:
        """Rehearse, judge and keep a plan that answers an incident."""

    async def run(self, name: str) -> Outcome | Denied:
        """Carry it out, if policy lets it through as it is."""

    async def takes(self, order: Order) -> bool:
        """Whether a way leads to the order's target and a rehearsal finds nothing wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """What remedies are chosen by.

    runbooks: reads them anew. evidence: the channels that an incident's likeliest cause rests
    on, by the incident's id. autonomy: how far each class of actions may go by itself.
    loud: whether an expression gives a series now; raises `WorldError` when nobody can say.
    """

    runbooks: Callable[[], Sequence[Runbook]]
    evidence: Callable[[str], frozenset[Channel]]
    autonomy: Callable[[], Awaitable[Mapping[str, Autonomy]]]
    loud: Callable[[str], Awaitable[bool]]


class Remedies:
    """Answers incidents by runbooks. clock: UTC-aware."""

    def __init__(
        self, ledger: Ledger, *, control: Control, library: Library, clock: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._control = control
        self._library = library
        self._clock = clock

    async def propose(self, incident: Incident) -> Dossier:
        """The plan that the fitting runbook makes.

        Raises `NotFound` when the incident has no cause or no runbook fits it, and what a
        rehearsal raises.
        """
        case = await self._case(incident)
        runbook = await self._chosen(case)
        if runbook is None:
            raise NotFound(
                f"No runbook fits {case.blame.entity} {case.blame.kind} at {case.confidence:.0%}.",
                hint="See `opsmith runbook list`, or plan an action by hand.",
            )
        return await self._planned(incident, runbook, case)

    async def consider(self, incident: Incident) -> Outcome | Denied | Dossier | Remedy | None:
        """What autonomy lets happen to an incident as it stands; once for each cause it blames.

        None when there is nothing new to do. Raises what a rehearsal raises.
        """
        if incident.confirmed is not None:
            await self._score(incident)
            return None
        if not _is_ripe(incident):
            return None
        case = await self._case(incident)
        known = await self._remedy(incident.id)
        fresh = known is None or known.blame != case.blame
        runbook = await self._chosen(case) if fresh else None
        if runbook is None:
            return None
        level = await self._level(runbook)
        if level is Autonomy.SHADOW:
            return await self._keep(incident, runbook, case, plan="")
        dossier = await self._planned(incident, runbook, case)
        if level is Autonomy.AUTO and isinstance(dossier.judgement, Allowed):
            return await self._control.run(dossier.plan.id)
        return dossier

    async def _chosen(self, case: Case) -> Runbook | None:
        """The first runbook that fits and, where it says so, whose steps can be taken."""
        for one in fitting(self._library.runbooks(), case):
            if not one.reachable:
                return one
            if all([await self._control.takes(order) for order in orders(one, case)]):
                return one
        return None

    async def _planned(self, incident: Incident, runbook: Runbook, case: Case) -> Dossier:
        dossier = await self._control.plan_for(
            incident.id,
            orders(runbook, case),
            checks(runbook, case),
            why=f"{case.blame.entity} {case.blame.kind}: {runbook.name}",
        )
        await self._keep(incident, runbook, case, plan=dossier.plan.id)
        return dossier

    async def _case(self, incident: Incident) -> Case:
        verdict = incident.verdict
        blame = incident.confirmed or (verdict.blame if verdict else None)
        if blame is None:
            raise NotFound(f"Incident {incident.id} has no cause yet.")
        firing = _felt(incident) or [member for member in incident.members if member.firing]
        episodes = [await self._episode(member.fingerprint) for member in firing]
        return Case(
            blame=blame,
            confidence=1.0 if incident.confirmed else verdict.confidence if verdict else 0.0,
            evidence=self._library.evidence(incident.id),
            alerting=firing[0].entity if firing else None,
            silences=tuple([await self._silence(one) for one in episodes if one is not None]),
            onset=verdict.onset if verdict else None,
        )

    async def _silence(self, episode: Episode) -> tuple[CheckKind, str]:
        """How the end of an alert is told: by an expression only if that is loud now.

        Labels that a sender adds on the way (external labels) are not on the server's own
        series; an expression with them would be quiet for ever, and prove nothing.
        """
        for expression in still_fires(episode):
            with suppress(WorldError):
                if await self._library.loud(expression):
                    return CheckKind.QUIET, expression
        return CheckKind.RESOLVED, episode.alert.fingerprint

    async def _level(self, runbook: Runbook) -> Autonomy:
        """The least that any of its classes of actions has earned."""
        known = await self._library.autonomy()
        order = list(Autonomy)
        levels = [known.get(step.action, Autonomy.ASK) for step in runbook.steps]
        return min(levels, key=order.index)

    async def _keep(
        self, incident: Incident, runbook: Runbook, case: Case, *, plan: str
    ) -> Remedy:
        remedy = Remedy(
            incident=incident.id,
            blame=case.blame,
            runbook=runbook.name,
            actions=tuple(dict.fromkeys(step.action for step in runbook.steps)),
            plan=plan,
            at=self._clock(),
        )
        await self._ledger.append([of_remedy(remedy)], durable=True)
        return remedy

    async def _score(self, incident: Incident) -> None:
        """A shadow that would have acted on the confirmed cause was right, any other wrong."""
        remedy = await self._remedy(incident.id)
        if remedy is None or remedy.plan:
            return
        right = remedy.blame == incident.confirmed
        name = f"shadow {incident.id}"
        tried = [
            Tried(action=one, plan=name, helped=right, at=self._clock(), shadow=True)
            for one in remedy.actions
        ]
        await self._ledger.append(
            [of_tried(one, principal="opsmith") for one in tried], durable=True
        )

    async def _remedy(self, incident: str) -> Remedy | None:
        wanted = Wanted(kind=REMEDY, subject=incident, latest=True, limit=1)
        found = await self._ledger.read(wanted)
        return to_remedy(found[0]) if found else None

    async def _episode(self, fingerprint: str) -> Episode | None:
        wanted = Wanted(kind=ALERT, subject=fingerprint, latest=True, limit=1)
        found = await self._ledger.read(wanted)
        return to_episode(found[0]) if found else None


async def acted_at(ledger: Ledger, incident: str) -> datetime | None:
    """When the plan that answers an incident began to act; None while none stands.

    What is measured from then on is the cure. A plan that was taken back, or failed, left the
    trouble as it was.
    """
    answers = await ledger.read(Wanted(kind=REMEDY, subject=incident, latest=True, limit=1))
    plan = to_remedy(answers[0]).plan if answers else ""
    if not plan:
        return None
    states = [
        (to_dossier(record).state, record.entry.at)
        for record in await ledger.read(Wanted(kind=PLAN, subject=plan))
    ]
    if not states or states[-1][0] not in {PlanState.RUNNING, PlanState.DONE}:
        return None
    return next((at for state, at in states if state is PlanState.RUNNING), None)


def still_fires(episode: Episode) -> tuple[str, str]:
    """Expressions that give a series while the alert's own holds: with its labels, by its name.

    Prometheus writes `ALERTS` for every alert of a rule, pending or firing, with its labels.
    Source: Prometheus documentation, "Alerting rules", inspecting alerts during runtime.
    """
    name = f'alertname="{_quoted(episode.alert.name)}"'
    labels = sorted((key, value) for key, value in episode.alert.labels if key not in _NOT_ASKED)
    exact = ",".join([name, *(f'{key}="{_quoted(value)}"' for key, value in labels)])
    return f"ALERTS{{{exact}}}", f"ALERTS{{{name}}}"


def _quoted(value: str) -> str:
    """A label value inside double quotes of PromQL, which are those of Go."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _felt(incident: Incident) -> list[Member]:
    """The alerts that fire but for opsmith's own anomalies: those alone change nothing."""
    return [
        member
        for member in incident.members
        if member.firing and not member.fingerprint.startswith(ANOMALOUS)
    ]


def _is_ripe(incident: Incident) -> bool:
    """Whether there is a diagnosis of something that still goes on and is more than odd."""
    verdict = incident.verdict
    return (
        incident.state not in ENDED
        and (incident.more > 0 or bool(_felt(incident)))
        and verdict is not None
        and verdict.status is Status.DIAGNOSED
    )
