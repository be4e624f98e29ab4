"""Changes from a cluster. The API server is emulated, over the wire, through the real client."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders.kubernetes import Cluster, event, replica_set, served

from opsmith.backends.changes.kubernetes import KubernetesChanges
from opsmith.errors import BadAnswer, BadInput, OpsmithError, Unreachable
from opsmith.nouns.signals import Change, ChangeKind

START = datetime(2026, 1, 1, tzinfo=UTC)
AT = "2026-01-01T10:00:00Z"
LATER = "2026-01-01T11:00:00Z"


async def since(cluster: Cluster, folder: Path, **more: str) -> tuple[Change, ...]:
    with served(cluster, folder, **more) as kubeconfig:
        return await KubernetesChanges(kubeconfig).since(START)


async def test_a_new_replica_set_is_a_deploy_of_its_owner(tmp_path: Path) -> None:
    cluster = Cluster(
        replicasets=[
            replica_set("cart-1", "cart", "7", "registry:5000/shop/cart:1.4.2", AT),
            replica_set("pay-1", "pay", "2", "pay:9", LATER, kind="Rollout"),
            replica_set("old-1", "old", "1", "old:1", "2025-12-31T00:00:00Z"),
            replica_set("alone", "alone", "", "a:1", AT),
            replica_set("set", "set", "1", "a:1", AT, kind="Elsewhere"),
        ]
    )

    cart, pay = await since(cluster, tmp_path)

    assert (str(cart.entity), cart.kind, cart.version) == (
        "service:cart",
        ChangeKind.DEPLOY,
        "cart:1.4.2",
    )
    assert cart.summary == "revision 7: registry:5000/shop/cart:1.4.2"
    assert (str(pay.entity), pay.at.isoformat()) == ("service:pay", "2026-01-01T11:00:00+00:00")


async def test_events_that_tell_a_change_are_taken_and_others_are_not(tmp_path: Path) -> None:
    cluster = Cluster(
        events=[
            event("Deployment", "cart", "ScalingReplicaSet", "Scaled up to 5 from 2", AT),
            event("Node", "n1", "NodeNotSchedulable", "password=hunter2", AT),
            event("Pod", "cart-1", "BackOff", "Back-off restarting", AT),
            event("Pod", "cart-1", "ScalingReplicaSet", "not of a workload", AT),
            event("Deployment", "", "ScalingReplicaSet", "nobody", AT),
        ]
    )

    node, cart = await since(cluster, tmp_path)

    assert (str(node.entity), node.kind) == ("host:n1", ChangeKind.INFRA)
    assert "hunter2" not in node.summary
    assert (cart.kind, cart.summary) == (
        ChangeKind.SCALE,
        "ScalingReplicaSet: Scaled up to 5 from 2",
    )


async def test_an_aborted_rollout_of_argo_is_a_deploy_back(tmp_path: Path) -> None:
    aborted = {
        "metadata": {"name": "cart"},
        "status": {"abort": True, "abortedAt": AT, "message": "metric failed"},
    }
    cluster = Cluster(rollouts=[aborted, {"metadata": {"name": "pay"}, "status": {}}])

    (change,) = await since(cluster, tmp_path)

    assert change.summary == "rollout aborted: metric failed"


async def test_long_lists_come_in_pages(tmp_path: Path) -> None:
    cluster = Cluster(
        replicasets=[replica_set(f"r{n}", f"s{n}", "1", "a:1", AT) for n in range(7)]
    )
    cluster.page = 3

    assert len(await since(cluster, tmp_path)) == 7


async def test_one_namespace_may_be_asked_alone(tmp_path: Path) -> None:
    cluster = Cluster(replicasets=[replica_set("r", "cart", "1", "a:1", AT)])
    with served(cluster, tmp_path) as kubeconfig:
        assert len(await KubernetesChanges(kubeconfig, namespace="shop").since(START)) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(403, BadInput), (500, Unreachable), (503, Unreachable)]
)
async def test_what_a_cluster_refuses_is_told(
    tmp_path: Path, status: int, error: type[OpsmithError]
) -> None:
    cluster = Cluster()
    cluster.failing = status

    with pytest.raises(error, match="list"):
        await since(cluster, tmp_path)


async def test_a_wrong_token_and_nonsense_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not let us"):
        await since(Cluster(), tmp_path, token="other")
    with pytest.raises(BadAnswer):
        await since(Cluster(replicasets=[{"metadata": {"creationTimestamp": "x"}}]), tmp_path)


async def test_a_cluster_that_is_gone_or_unknown_is_told(tmp_path: Path) -> None:
    with served(Cluster(), tmp_path) as kubeconfig:
        changes = KubernetesChanges(kubeconfig)
    with pytest.raises(Unreachable):
        await changes.since(START)
    for path in (tmp_path / "none", None):
        with pytest.raises(BadInput, match="No cluster is known"):
            KubernetesChanges(path)


def test_without_the_client_one_line_says_how_to_get_it() -> None:
    code = (
        "import sys\nsys.modules['kubernetes'] = None\nimport opsmith.backends.changes.kubernetes"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert "pip install 'opsmith[kubernetes]'" in done.stderr.splitlines()[-1]
