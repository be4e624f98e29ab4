"""Where a target is: as the targets file says, in a namespace it opens, or nowhere for sure."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.cluster import EmulatedCluster, served

from opsmith.backends.reach.kubernetes import CHECK, KubernetesReach
from opsmith.backends.reach.kubernetes_places import ClusterPlace, ObjectPlace
from opsmith.errors import BadInput, NotFound, OpsmithError
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.testing.acting import NOON

CART, PAY, NODE = Entity.service("cart"), Entity.service("pay"), Entity.parse("host:node-1")


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    cluster = EmulatedCluster()
    cluster.workload("deployments", "cart-v2", ["cart:1", "cart:2"])
    cluster.workload("deployments", "pay", ["pay:1"])
    cluster.node("node-1")
    cluster.node("ip-1")
    shares = [{"destination": {"subset": one}, "weight": 50} for one in ("a", "b")]
    meta = {"name": "cart-vs", "namespace": "shop"}
    cluster.put("virtualservices", {"metadata": meta, "spec": {"http": [{"route": shares}]}})
    with served(cluster, tmp_path) as file:
        yield file


def way(kubeconfig: Path, *clusters: ClusterPlace, node: str = "") -> KubernetesReach:
    places = {
        CART: ObjectPlace(
            cluster="c0",
            namespace="shop",
            workload="deployment/cart-v2",
            traffic="virtualservice/cart-vs",
        )
    }
    if node:
        places[NODE] = ObjectPlace(cluster="c0", node=node)
    return KubernetesReach(
        {f"c{n}": one for n, one in enumerate((ClusterPlace(kubeconfig=kubeconfig), *clusters))},
        places=places,
        clock=lambda: NOON,
        patches=kubeconfig.parent / "patches",
    )


async def test_a_target_is_what_the_file_says_whatever_its_name(kubeconfig: Path) -> None:
    reach = way(kubeconfig, node="ip-1")

    scale = await reach.look(CART, "kubernetes.scale", {"replicas": 4})
    shift = await reach.look(CART, "traffic.shift", {"to": "a", "weight": 10})
    cordon = await reach.look(NODE, "kubernetes.cordon", {})
    access = await reach.send(CART, "kubernetes.access", {}, deadline_s=30)

    assert str(scale.facts["says"]).startswith("deployment/cart-v2 in shop")
    assert str(shift.facts["says"]).startswith("virtualservice/cart-vs in shop")
    assert str(cordon.facts["says"]).startswith("node ip-1")
    assert access.says.startswith("cluster c0, in shop:")


@pytest.mark.parametrize(
    ("verb", "values", "says"),
    [
        ("kubernetes.scale", {"replicas": 4, "namespace": "other"}, "is in shop, not in other"),
        ("kubernetes.scale", {"replicas": 4, "kind": "rollout"}, "no 'rollout'; there is deploym"),
        ("kubernetes.scale", {"replicas": True}, "From 3 replicas that leads to -1"),
        ("kubernetes.scale", {"by": -4}, "From 3 replicas that leads to -1"),
        ("kubernetes.limits", {}, "Say cores, memory_mb, or both"),
        ("kubernetes.limits", {"memory_percent": 50}, "no memory limit"),
        ("kubernetes.limits", {"cores": 1, "container": "x"}, "has the containers cart-v2"),
        ("kubernetes.autoscale", {"max": 4}, "No autoscaler owns deployment/cart-v2"),
        ("traffic.shift", {"to": "a", "weight": True}, "from 0 to 100"),
        ("traffic.shift", {"to": "a", "weight": 1, "via": "httproute"}, "by a virtualservice"),
        ("kubernetes.patch", {"change": "kubernetes.drain"}, "no change 'kubernetes.drain'"),
        (CHECK, {"of": "nonsense"}, "no change 'nonsense'"),
        ("kubernetes.drain", {}, "know no 'kubernetes.drain' of service:cart"),
    ],
)
async def test_what_an_order_cannot_mean_is_said(
    verb: str, values: Values, says: str, kubeconfig: Path
) -> None:
    with pytest.raises((BadInput, NotFound), match=says):
        await way(kubeconfig).look(CART, verb, values)


async def test_a_number_that_is_worked_out_is_not_sent_without_what_was_seen(
    kubeconfig: Path,
) -> None:
    with pytest.raises(BadInput, match="worked out from what was seen"):
        await way(kubeconfig).send(CART, "kubernetes.scale", {"by": 1}, deadline_s=30)


async def test_one_name_in_two_places_is_not_guessed(kubeconfig: Path) -> None:
    opens = ClusterPlace(kubeconfig=kubeconfig, namespaces=("shop",), nodes=True)
    one, two, none = way(kubeconfig, opens), way(kubeconfig, opens, opens), way(kubeconfig)

    assert (await one.look(PAY, "kubernetes.scale", {"replicas": 4})).facts["was"] == 3
    assert (await one.look(NODE, "kubernetes.cordon", {})).facts["was_closed"] is False
    tries: list[tuple[KubernetesReach, Entity, str, type[OpsmithError], str]] = [
        (
            two,
            PAY,
            "kubernetes.scale",
            BadInput,
            "may be deployment/pay in shop or deployment/pay",
        ),
        (two, NODE, "kubernetes.cordon", NotFound, "2 clusters of the targets file open"),
        (none, NODE, "kubernetes.cordon", NotFound, "0 clusters of the targets file open"),
        (none, PAY, "kubernetes.scale", NotFound, "pay is in any namespace"),
    ]
    for reach, target, verb, error, says in tries:
        with pytest.raises(error, match=says):
            await reach.look(target, verb, {"replicas": 4})
