"""Canaries and runbooks on an emulated cluster: widened, taken back, chosen by what it takes."""

from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from builders.cluster import EmulatedCluster, served
from builders.clusters_reached import reach

from opsmith.errors import NotFound
from opsmith.execute.action import Finding
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.execute.settle import Watcher
from opsmith.flows.change_control import ChangeControl, Guards, Proposal
from opsmith.flows.remediate import Library, Remedies
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Channel, Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.incident import Blame, Incident, IncidentState, Verdict
from opsmith.nouns.plan import (
    Autonomy,
    Check,
    CheckKind,
    Denied,
    Dossier,
    Order,
    Outcome,
    PlanState,
)
from opsmith.nouns.session import Principal
from opsmith.plan.policy import policy_from
from opsmith.plan.runbooks import runbooks_from
from opsmith.plan.waves import widening
from opsmith.testing.acting import NOON, HandClock, OneWay
from opsmith.testing.ledger import MemoryLedger
from opsmith.wiring.remedies import Hands

CART = Entity.service("cart")
ADA = Principal(name="ada")
CHECK = Check(kind=CheckKind.QUIET, subject="errors", within_s=10, holds_s=0)


class House:
    """A change control over a cluster. breaks_at: the weight from which the canary is ill."""

    def __init__(self, cluster: EmulatedCluster, kubeconfig: Path, folder: Path) -> None:
        self.cluster = cluster
        self.clock = HandClock()
        self.breaks_at = 101
        self.ledger = MemoryLedger()
        names = iter(f"approval-{n}" for n in range(100))
        self.control = ChangeControl(
            self.ledger,
            actions=Registry(BUILT_IN),
            world=OneWay(way=reach(kubeconfig, folder)),
            guards=Guards(
                policy=lambda: policy_from(shipped("default_policy.yaml")),
                clock=self.clock,
                autonomy=self._autonomy,
            ),
            watcher=Watcher(probe=self._probe, clock=lambda: self.clock.now, sleep=self._sleep),
            fresh_name=lambda: next(names),
        )

    @property
    def weights(self) -> list[int]:
        http = self.cluster.get("virtualservices", "shop", "cart")["spec"]["http"]
        return [one["weight"] for one in http[0]["route"]]

    async def ramp(self, *weights: int) -> Outcome | Denied:
        orders = tuple(
            Order(action="traffic.shift", target=CART, values={"to": "canary", "weight": one})
            for one in weights
        )
        waves = widening(len(orders))
        proposal = Proposal(orders=orders, why="1.5.0", checks=(CHECK,), waves=waves)
        name = (await self.control.propose(proposal, by=ADA)).plan.id
        await self.control.approve(name, by=ADA)
        return await self.control.run(name, by=ADA)

    async def planned(self, kind: CauseKind, *evidence: Channel) -> Dossier:
        verdict = Verdict(
            status=Status.DIAGNOSED,
            blame=Blame(entity=CART, kind=kind),
            confidence=0.9,
            path=(CART,),
            sentence="",
            found_at=NOON,
            onset=NOON - timedelta(minutes=3),
        )
        incident = Incident(
            id=f"i-{kind}",
            state=IncidentState.OPEN,
            title="ill",
            opened_at=NOON,
            updated_at=NOON,
            members=(),
            verdict=verdict,
        )
        library = Library(
            runbooks=lambda: runbooks_from(shipped("default_runbooks.yaml")),
            evidence=lambda _: frozenset(evidence),
            autonomy=self._autonomy,
            loud=self._loud,
        )
        hands = Hands(self.control, by=ADA)
        remedies = Remedies(
            self.ledger, control=hands, library=library, clock=lambda: self.clock.now
        )
        return await remedies.propose(incident)

    async def _autonomy(self) -> dict[str, Autonomy]:
        return {}

    async def _loud(self, _: str) -> bool:
        return False

    async def _probe(self, _: Check) -> Finding:
        return Finding(holds=self.weights[1] < self.breaks_at, says=f"canary {self.weights[1]}")

    async def _sleep(self, seconds: float) -> None:
        self.clock.passes(seconds)


def shipped(name: str) -> object:
    told: object = yaml.safe_load((files("opsmith.plan") / name).read_text("utf-8"))
    return told


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    cluster = EmulatedCluster()
    cluster.workload("deployments", "cart", ["cart:1", "cart:2"])
    shares = [
        {"destination": {"subset": "stable"}, "weight": 100},
        {"destination": {"subset": "canary"}, "weight": 0},
    ]
    meta = {"name": "cart", "namespace": "shop"}
    cluster.put("virtualservices", {"metadata": meta, "spec": {"http": [{"route": shares}]}})
    with served(cluster, tmp_path) as kubeconfig:
        yield House(cluster, kubeconfig, tmp_path)


async def test_a_canary_is_widened_while_its_checks_hold(house: House) -> None:
    outcome = await house.ramp(5, 25, 50, 100)

    assert isinstance(outcome, Outcome)
    assert (outcome.state, house.weights) == (PlanState.DONE, [0, 100])


async def test_a_canary_that_makes_things_worse_is_taken_back_before_it_is_wider(
    house: House,
) -> None:
    house.breaks_at = 20

    outcome = await house.ramp(5, 25, 50, 100)

    assert isinstance(outcome, Outcome)
    assert (outcome.state, house.weights) == (PlanState.UNDONE, [100, 0])
    made = [one for one in house.cluster.asked if one.startswith("PATCH") and "dryRun" not in one]
    assert len(made) == 6  # 5, 25, 50, and each back; never 100


CHANGED, ILL = (Channel.CHANGE, Channel.RESOURCE), (Channel.RESOURCE,)


@pytest.mark.parametrize(
    ("kind", "evidence", "says"),
    [
        (CauseKind.DEPLOY_BAD, CHANGED, "revision 2 (cart:2) -> revision 1 (cart:1)"),
        (CauseKind.CRASH_LOOP, CHANGED, "revision 2 (cart:2) -> revision 1 (cart:1)"),
        (CauseKind.CRASH_LOOP, ILL, "restart 3 pods, one after the other"),
        (CauseKind.MEMORY_LEAK, ILL, "restart 3 pods, one after the other"),
        (CauseKind.TRAFFIC_SURGE, ILL, "3 -> 5 replicas"),
        (CauseKind.CPU_SATURATED, ILL, "3 -> 5 replicas"),
    ],
)
async def test_a_fault_of_a_workload_has_its_plan(
    kind: CauseKind, evidence: tuple[Channel, ...], says: str, house: House
) -> None:
    dossier = await house.planned(kind, *evidence)

    (step,) = dossier.plan.steps
    assert step.preview == f"deployment/cart in shop: {says}"


async def test_the_next_runbook_is_taken_where_the_cluster_refuses_the_first(
    house: House,
) -> None:
    target = {"kind": "Deployment", "name": "cart"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4}
    meta = {"name": "cart", "namespace": "shop"}
    house.cluster.put("horizontalpodautoscalers", {"metadata": meta, "spec": spec})

    surge = await house.planned(CauseKind.TRAFFIC_SURGE, *ILL)

    assert surge.plan.steps[0].preview == "autoscaler cart: 2 to 4 -> 2 to 6 replicas"


async def test_a_workload_without_a_memory_limit_is_left_to_a_person_but_one_with_it_is_not(
    house: House,
) -> None:
    with pytest.raises(NotFound, match="No runbook fits"):
        await house.planned(CauseKind.MEMORY_OOM, *ILL)
    limits = {"limits": {"memory": "256Mi"}}
    house.cluster.respec(
        "deployments",
        "shop",
        "cart",
        lambda spec: spec["template"]["spec"]["containers"][0].update(resources=limits),
    )

    oom = await house.planned(CauseKind.MEMORY_OOM, *ILL)

    assert oom.plan.steps[0].preview.endswith("container cart: memory 256Mi -> 384Mi")
