"""From a diagnosed incident by its runbook to a plan, and as far as autonomy goes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opsmith.audit.states import of_dossier, of_episode, of_remedy
from opsmith.errors import NotFound, Unreachable
from opsmith.flows.autonomy import levels, set_level, standings
from opsmith.flows.remediate import Library, Remedies, acted_at, still_fires
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Channel, Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.incident import Blame, Incident, IncidentState, Member, Verdict
from opsmith.nouns.plan import (
    Allowed,
    Autonomy,
    Check,
    CheckKind,
    Denied,
    Dossier,
    Grant,
    Judgement,
    NeedsApproval,
    Order,
    Outcome,
    Plan,
    PlanState,
    Step,
)
from opsmith.nouns.remedy import Remedy
from opsmith.nouns.series import Aspect
from opsmith.nouns.sign import ANOMALOUS
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.nouns.task import Risk
from opsmith.plan.runbooks import runbooks_from
from opsmith.testing.ledger import MemoryLedger

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CART = Entity.service("cart")
POOL = Blame(entity=CART, kind=CauseKind.POOL_EXHAUSTED)
RUNBOOKS = {
    "version": 1,
    "runbooks": [
        {
            "name": "grow",
            "kinds": ["pool.exhausted"],
            "steps": [
                {"action": "config.set", "target": "{cause}", "values": {"key": "P", "value": "8"}}
            ],
            "checks": [{"kind": "alerts_quiet"}],
        }
    ],
}
ALERT = Alert(
    fingerprint="f1",
    name='Slow"Cart',
    entity=CART,
    source=AlertSource.METRIC,
    aspect=Aspect.LATENCY,
    direction=Direction.UP,
    metric="",
    severity="page",
    starts_at=NOW,
    ends_at=None,
    labels=(("alertname", 'Slow"Cart'), ("service", "ca\\rt"), ("cluster", "eu")),
)


class Controls:
    """Keeps what it was asked to plan; judges as told."""

    def __init__(self) -> None:
        self.judgement: Judgement = NeedsApproval(rule="changes ask", approvers=1)
        self.planned: list[tuple[tuple[Order, ...], tuple[Check, ...], str]] = []
        self.ran: list[str] = []
        self.taken: set[str] = set()

    async def plan_for(
        self, incident: str, orders: tuple[Order, ...], checks: tuple[Check, ...], *, why: str
    ) -> Dossier:
        self.planned.append((orders, checks, why))
        steps = tuple(
            Step(order=one, risk=Risk.CHANGE, resource="cart", version="1", preview="")
            for one in orders
        )
        plan = Plan(steps=steps, why=why, made_at=NOW, made_by="opsmith", incident=incident)
        return Dossier(plan=plan, state=PlanState.PROPOSED, judgement=self.judgement)

    async def takes(self, order: Order) -> bool:
        return order.action in self.taken

    async def run(self, name: str) -> Outcome | Denied:
        self.ran.append(name)
        return Outcome(plan=name, state=PlanState.DONE, says="done")


class House:
    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.controls = Controls()
        self.level: dict[str, Autonomy] = {}
        self.loud = {'ALERTS{alertname="Slow\\"Cart"}'}
        self.blind = False
        self.remedies = Remedies(
            self.ledger,
            control=self.controls,
            library=Library(
                runbooks=lambda: runbooks_from(RUNBOOKS),
                evidence=lambda _: frozenset({Channel.RESOURCE}),
                autonomy=self._levels,
                loud=self._loud,
            ),
            clock=lambda: NOW,
        )

    async def _levels(self) -> Mapping[str, Autonomy]:
        return self.level

    async def _loud(self, expression: str) -> bool:
        if self.blind:
            raise Unreachable("Prometheus does not answer.")
        return expression in self.loud


@pytest.fixture
async def house() -> House:
    made = House()
    episode = Episode(alert=ALERT, state=EpisodeState.FIRING, first_seen=NOW, turns=(NOW,))
    await made.ledger.append([of_episode(episode, at=NOW)], durable=True)
    return made


def incident(*, blame: Blame | None = POOL, status: Status = Status.DIAGNOSED) -> Incident:
    verdict = Verdict(
        status=status,
        blame=blame,
        confidence=0.9,
        path=(CART,),
        sentence="",
        found_at=NOW,
        onset=NOW - timedelta(minutes=3),
    )
    member = Member(
        fingerprint="f1", name="Slow", entity=CART, severity="page", firing=True, joined_at=NOW
    )
    return Incident(
        id="i1",
        state=IncidentState.OPEN,
        title="slow",
        opened_at=NOW,
        updated_at=NOW,
        members=(member,),
        verdict=verdict,
    )


async def test_a_runbook_proposes_its_plan_once_for_each_cause(house: House) -> None:
    first = await house.remedies.consider(incident())
    again = await house.remedies.consider(incident())

    assert isinstance(first, Dossier)
    assert again is None
    ((orders, _, why),) = house.controls.planned
    assert orders == (Order(action="config.set", target=CART, values={"key": "P", "value": "8"}),)
    assert why == "service:cart pool.exhausted: grow"
    assert house.controls.ran == []


async def test_the_end_of_an_alert_is_told_by_an_expression_that_is_loud_now(
    house: House,
) -> None:
    await house.remedies.propose(incident())
    house.blind = True
    await house.remedies.propose(incident())

    (_, (by_name,), _), (_, (by_sender,), _) = house.controls.planned
    assert (by_name.kind, by_name.subject) == (CheckKind.QUIET, 'ALERTS{alertname="Slow\\"Cart"}')
    assert (by_sender.kind, by_sender.subject) == (CheckKind.RESOLVED, "f1")


def test_label_values_stay_values_in_the_expression() -> None:
    episode = Episode(alert=ALERT, state=EpisodeState.FIRING, first_seen=NOW, turns=(NOW,))

    assert still_fires(episode)[0] == (
        'ALERTS{alertname="Slow\\"Cart",cluster="eu",service="ca\\\\rt"}'
    )


async def test_what_policy_and_autonomy_allow_runs_by_itself(house: House) -> None:
    house.level = {"config.set": Autonomy.AUTO}
    house.controls.judgement = Allowed(rule="earned autonomy")

    assert isinstance(await house.remedies.consider(incident()), Outcome)
    assert len(house.controls.ran) == 1


async def test_autonomy_alone_does_not_run_what_policy_asks_about(house: House) -> None:
    house.level = {"config.set": Autonomy.AUTO}

    assert isinstance(await house.remedies.consider(incident()), Dossier)
    assert house.controls.ran == []


@pytest.mark.parametrize(
    ("truth", "helped"), [(POOL, 1), (replace(POOL, kind=CauseKind.UNKNOWN), 0)]
)
async def test_a_shadow_only_watches_and_is_scored_by_the_confirmed_cause(
    house: House, truth: Blame, helped: int
) -> None:
    house.level = {"config.set": Autonomy.SHADOW}

    shadow = await house.remedies.consider(incident())
    confirmed = replace(incident(), state=IncidentState.CONFIRMED, confirmed=truth)
    assert await house.remedies.consider(confirmed) is None

    assert isinstance(shadow, Remedy)
    assert house.controls.planned == []
    (standing,) = await standings(house.ledger)
    assert (standing.good, standing.bad) == (helped, 1 - helped)


async def test_a_confirmed_incident_that_no_shadow_answered_scores_nothing(house: House) -> None:
    await house.remedies.consider(incident())
    await house.remedies.consider(
        replace(incident(), state=IncidentState.CONFIRMED, confirmed=POOL)
    )

    assert await standings(house.ledger) == ()


async def test_what_is_not_diagnosed_not_firing_or_over_is_left_to_people(house: House) -> None:
    quiet = replace(incident(), members=(replace(incident().members[0], firing=False),))
    over = replace(incident(), state=IncidentState.RESOLVED)
    unsure = incident(status=Status.INCONCLUSIVE)
    for one in (quiet, over, unsure, replace(incident(), verdict=None)):
        assert await house.remedies.consider(one) is None
    strange = incident(blame=Blame(entity=CART, kind=CauseKind.UNKNOWN))
    assert await house.remedies.consider(strange) is None
    assert house.controls.planned == []


async def test_an_anomaly_alone_changes_nothing_and_is_no_check_beside_an_alert(
    house: House,
) -> None:
    told = incident()
    odd = replace(told.members[0], fingerprint=f"{ANOMALOUS}a1")

    assert await house.remedies.consider(replace(told, members=(odd,))) is None
    await house.remedies.consider(replace(told, members=(odd, *told.members)))

    [(_, checks, _)] = house.controls.planned
    assert len(checks) == 1
    assert ALERT.name.replace('"', '\\"') in checks[0].subject


async def test_asked_by_hand_a_missing_cause_or_runbook_is_said(house: House) -> None:
    with pytest.raises(NotFound, match="no cause"):
        await house.remedies.propose(incident(blame=None))
    with pytest.raises(NotFound, match="No runbook"):
        await house.remedies.propose(incident(blame=Blame(entity=CART, kind=CauseKind.UNKNOWN)))


async def test_a_cause_that_a_person_confirmed_is_what_the_plan_is_for(house: House) -> None:
    wrong = Blame(entity=Entity.service("pay"), kind=CauseKind.UNKNOWN)
    await house.remedies.propose(replace(incident(blame=wrong), confirmed=POOL))

    ((orders, _, _),) = house.controls.planned
    assert orders[0].target == CART


async def test_levels_are_set_and_read_back(house: House) -> None:
    denied = await set_level(house.ledger, "config.set", Autonomy.AUTO, by="ada", now=NOW)
    given = await set_level(house.ledger, "config.set", Autonomy.SHADOW, by="ada", now=NOW)

    assert isinstance(denied, Denied)
    assert isinstance(given, Grant)
    assert await levels(house.ledger) == {"config.set": Autonomy.SHADOW}


@pytest.mark.parametrize(
    ("states", "since"),
    [
        ([PlanState.PROPOSED], None),
        ([PlanState.PROPOSED, PlanState.RUNNING], NOW + timedelta(minutes=1)),
        ([PlanState.APPROVED, PlanState.RUNNING, PlanState.DONE], NOW + timedelta(minutes=1)),
        ([PlanState.APPROVED, PlanState.RUNNING, PlanState.UNDONE], None),
    ],
)
async def test_what_is_measured_since_a_plan_acts_is_the_cure(
    states: list[PlanState], since: datetime | None
) -> None:
    ledger = MemoryLedger()
    step = Step(
        order=Order(action="config.set", target=CART),
        risk=Risk.CHANGE,
        resource="cart",
        version="1",
        preview="",
    )
    plan = Plan(steps=(step,), why="", made_at=NOW, made_by="opsmith", incident="i1")
    remedy = Remedy(
        incident="i1", blame=POOL, runbook="grow", actions=("config.set",), plan=plan.id, at=NOW
    )
    await ledger.append([of_remedy(remedy)], durable=True)
    for number, state in enumerate(states):
        dossier = Dossier(plan=plan, state=state, judgement=NeedsApproval(rule="", approvers=1))
        at = NOW + timedelta(minutes=number)
        await ledger.append([of_dossier(dossier, at=at, principal="ann")], durable=True)

    assert await acted_at(ledger, "i1") == since
    assert await acted_at(ledger, "i2") is None
