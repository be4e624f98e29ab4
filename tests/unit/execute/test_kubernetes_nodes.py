"""Drain, cordon and uncordon, over HTTP to an emulated API server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders.cluster import EmulatedCluster, served
from builders.clusters_reached import of, reach

from opsmith.errors import BadAnswer, BadInput, Conflict
from opsmith.execute.action import Preview
from opsmith.nouns.entity import Entity
from opsmith.nouns.task import Risk
from opsmith.testing.acting import OneWay

NODE = Entity.parse("host:node-1")


@pytest.fixture
def cluster() -> EmulatedCluster:
    made = EmulatedCluster()
    made.node("node-1")
    made.node("node-2")
    made.pod("cart-1", "node-1")
    made.pod("cart-2", "node-1")
    made.pod("cart-3", "node-2")
    made.pod("agent-1", "node-1", owner="DaemonSet")
    made.pod("proxy-node-1", "node-1", owner="Node")
    made.get("pods", "shop", "proxy-node-1")["metadata"]["annotations"] = {
        "kubernetes.io/config.mirror": "x"
    }
    return made


@pytest.fixture
def world(cluster: EmulatedCluster, tmp_path: Path) -> Iterator[OneWay]:
    with served(cluster, tmp_path) as kubeconfig:
        yield OneWay(way=reach(kubeconfig, tmp_path))


def pods(cluster: EmulatedCluster) -> list[str]:
    return [name for kind, _, name in cluster.objects if kind == "pods"]


def closed(cluster: EmulatedCluster) -> object:
    return cluster.get("nodes", "", "node-1")["spec"].get("unschedulable", False)


async def test_a_node_is_emptied_one_budget_after_the_other(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.budgets = {"cart": 1}
    drain, order = of("kubernetes.drain", NODE)

    preview = await drain.dry_run(order, world)
    assert pods(cluster) == ["cart-1", "cart-2", "cart-3", "agent-1", "proxy-node-1"]
    assert not (await drain.verify(order, preview, world)).holds
    said = await drain.apply(order, preview, world)
    verdict = await drain.verify(order, preview, world)
    undone = await drain.undo(order, preview, world)

    assert preview.says == (
        "close node node-1 and move 2 pods (shop/cart-1, shop/cart-2);"
        " 2 of DaemonSets or the node itself stay"
    )
    assert drain.spec.risk is Risk.DESTRUCTIVE
    assert said == "node node-1 is closed and empty, 2 pods moved"
    assert (verdict.holds, verdict.says) == (True, "node node-1 is closed to new pods, and empty")
    assert pods(cluster) == ["cart-3", "agent-1", "proxy-node-1"]
    assert undone == "node node-1 is open to new pods again"
    assert closed(cluster) is False


async def test_a_budget_that_gives_nothing_ends_the_drain_and_the_node_is_opened(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.budgets = {"cart": 0}
    drain, order = of("kubernetes.drain", NODE, timeout_s=10)
    preview = await drain.dry_run(order, world)
    assert "2 wait for their disruption budget now, such as cart-1: Cannot evict" in preview.says

    # Ten seconds are the least that an order may say; the way itself takes any.
    hurried = replace(order, values={"timeout_s": 0})
    with pytest.raises(BadAnswer, match=r"2 pods are still on node-1: .*disruption budget"):
        await drain.apply(hurried, preview, world)
    assert closed(cluster) is True
    await drain.undo(order, preview, world)

    assert closed(cluster) is False
    assert "cart-1" in pods(cluster)


@pytest.mark.parametrize(
    ("word", "says"),
    [("delete_local_data", "keep data in an emptyDir"), ("delete_unmanaged", "makes these pods")],
)
async def test_what_would_be_lost_goes_only_when_it_is_said(
    word: str, says: str, cluster: EmulatedCluster, world: OneWay
) -> None:
    if word == "delete_local_data":
        cluster.pod("sort-1", "node-1", volumes=[{"name": "tmp", "emptyDir": {}}])
    else:
        cluster.pod("once", "node-1", owner="")
    drain, order = of("kubernetes.drain", NODE)

    with pytest.raises(BadInput, match=f"{says}.*{word}=true"):
        await drain.dry_run(order, world)
    drain, order = of("kubernetes.drain", NODE, **{word: True})
    preview = await drain.dry_run(order, world)
    await drain.apply(order, preview, world)

    assert "lost for good" in preview.says or "do not come back" in preview.says
    assert pods(cluster) == ["cart-3", "agent-1", "proxy-node-1"]


async def test_a_pod_that_would_be_lost_and_came_later_stops_the_plan(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    drain, order = of("kubernetes.drain", NODE, delete_unmanaged=True)
    before = await drain.dry_run(order, world)
    cluster.pod("cart-4", "node-1")
    assert (await drain.dry_run(order, world)).version == before.version

    cluster.pod("once", "node-1", owner="")

    assert (await drain.dry_run(order, world)).version != before.version


async def test_the_last_node_is_not_drained(cluster: EmulatedCluster, world: OneWay) -> None:
    cluster.get("nodes", "", "node-2")["spec"]["unschedulable"] = True
    drain, order = of("kubernetes.drain", NODE)

    with pytest.raises(BadInput, match="No other node is ready"):
        await drain.dry_run(order, world)


async def test_a_node_is_closed_and_opened(cluster: EmulatedCluster, world: OneWay) -> None:
    for name, there in (("kubernetes.cordon", True), ("kubernetes.uncordon", False)):
        action, order = of(name, NODE)
        preview = await action.dry_run(order, world)
        await action.apply(order, preview, world)
        assert "already" in await action.apply(order, preview, world)
        assert (await action.verify(order, preview, world)).holds
        assert closed(cluster) is there
    await action.undo(order, preview, world)

    assert closed(cluster) is True
    assert pods(cluster) == ["cart-1", "cart-2", "cart-3", "agent-1", "proxy-node-1"]


async def test_another_node_of_the_name_is_another(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    action, order = of("kubernetes.cordon", NODE)
    preview = await action.dry_run(order, world)
    cluster.node("node-1")

    with pytest.raises(Conflict, match="another than the one that was seen"):
        await action.apply(order, preview, world)


async def test_rights_on_nodes_are_told(cluster: EmulatedCluster, world: OneWay) -> None:
    cluster.denied = {"create pods/eviction"}
    action, order = of("kubernetes.access", NODE)

    told = await action.apply(order, Preview(version="", says="", before={}), world)

    assert "LACKS create pods/eviction (kubernetes.drain)" in told
    assert "has patch nodes (drain, cordon, uncordon)" in told
