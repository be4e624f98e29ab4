"""Actions on workloads of a cluster, over HTTP to an emulated API server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders.cluster import EmulatedCluster, served
from builders.clusters_reached import of as of_any
from builders.clusters_reached import reach

from opsmith.errors import BadAnswer, BadInput, Conflict, NotFound, Unreachable
from opsmith.execute.action import Action, Preview
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order, Value
from opsmith.nouns.task import Risk
from opsmith.testing.acting import OneWay

CART = Entity.service("cart")
V1, V2, V3 = "shop/cart:1.0", "shop/cart:1.1", "shop/cart:1.2"


@pytest.fixture
def cluster() -> EmulatedCluster:
    return EmulatedCluster()


@pytest.fixture
def world(cluster: EmulatedCluster, tmp_path: Path) -> Iterator[OneWay]:
    with served(cluster, tmp_path) as kubeconfig:
        yield OneWay(way=reach(kubeconfig, tmp_path))


def of(name: str, target: Entity = CART, **values: Value) -> tuple[Action, Order]:
    return of_any(name, target, **values)


def image(cluster: EmulatedCluster, plural: str = "deployments") -> str:
    spec = cluster.get(plural, "shop", "cart")["spec"]
    return str(spec["template"]["spec"]["containers"][0]["image"])


async def there_and_back(name: str, world: OneWay, **values: Value) -> tuple[Preview, str, str]:
    """(what was seen, what it said, what its undo said), each step verified."""
    action, order = of(name, **values)
    preview = replace(await action.dry_run(order, world), plan="plan-1")
    assert not (await action.verify(order, preview, world)).holds
    said = await action.apply(order, preview, world)
    assert (await action.verify(order, preview, world)).holds
    again = await action.apply(order, preview, world)
    assert again.startswith("as it is already")
    undone = await action.undo(order, preview, world)
    assert not (await action.verify(order, preview, world)).holds
    return preview, said, undone


@pytest.mark.parametrize("plural", ["deployments", "statefulsets", "rollouts"])
async def test_replicas_go_there_and_back(
    plural: str, cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload(plural, "cart", [V1])

    preview, said, _ = await there_and_back("kubernetes.scale", world, replicas=5)

    assert preview.says == f"{plural[:-1]}/cart in shop: 3 -> 5 replicas"
    assert preview.risk is Risk.CHANGE
    assert said == preview.says
    assert cluster.get(plural, "shop", "cart")["spec"]["replicas"] == 3


@pytest.mark.parametrize("plural", ["deployments", "statefulsets", "daemonsets", "rollouts"])
async def test_an_earlier_revision_comes_back_and_goes_again(
    plural: str, cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload(plural, "cart", [V1, V2, V3])

    preview, _, _ = await there_and_back("kubernetes.rollback", world)

    assert preview.says.endswith(f"revision 3 ({V3}) -> revision 2 ({V2})")
    assert image(cluster, plural) == V3


async def test_a_revision_is_named_by_number_or_by_the_version_of_an_image(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", [V1, V2, V3])

    for values in ({"revision": 1}, {"version": "1.0"}, {"version": "v1.0"}):
        action, order = of("kubernetes.rollback", **values)
        preview = await action.dry_run(order, world)
        assert preview.says.endswith(f"-> revision 1 ({V1})")
    action, order = of("kubernetes.rollback", revision=9)
    with pytest.raises(NotFound, match=r"no such revision.*3: shop/cart:1.2; 2:"):
        await action.dry_run(order, world)


@pytest.mark.parametrize("plural", ["deployments", "statefulsets", "daemonsets"])
async def test_a_restart_is_done_once_and_stopped_by_its_undo(
    plural: str, cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload(plural, "cart", [V1, V2])

    preview, _, _ = await there_and_back("kubernetes.restart", world)

    made = [one for one in cluster.asked if one.startswith("PATCH") and "dryRun" not in one]
    assert len(made) == 2
    assert not preview.irreversible
    notes = cluster.get(plural, "shop", "cart")["spec"]["template"]["metadata"]
    assert not notes.get("annotations")


async def test_argo_restarts_in_place_and_has_no_way_back(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("rollouts", "cart", [V1])
    action, order = of("kubernetes.restart")

    preview = replace(await action.dry_run(order, world), plan="plan-1")
    await action.apply(order, preview, world)

    spec = cluster.get("rollouts", "shop", "cart")["spec"]
    assert (spec["restartAt"], "in place" in preview.irreversible) == (
        "2026-01-10T12:00:00Z",
        True,
    )


async def test_limits_go_there_and_back_with_the_request_above_them(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", [V1])
    held = {"limits": {"memory": "1Gi", "cpu": "1"}, "requests": {"memory": "768Mi"}}
    cluster.respec("deployments", "shop", "cart", lambda spec: _resources(spec, held))
    action, order = of("kubernetes.limits", memory_mb=512)

    preview = replace(await action.dry_run(order, world), plan="plan-1")
    await action.apply(order, preview, world)
    now = _container(cluster)["resources"]
    assert (await action.verify(order, preview, world)).holds
    await action.undo(order, preview, world)

    assert preview.says == "deployment/cart in shop, container cart: memory 1Gi -> 512Mi"
    assert now == {"limits": {"memory": "512Mi", "cpu": "1"}, "requests": {"memory": "512Mi"}}
    assert _container(cluster)["resources"] == held


def _container(cluster: EmulatedCluster) -> dict[str, object]:
    spec = cluster.get("deployments", "shop", "cart")["spec"]
    found: dict[str, object] = spec["template"]["spec"]["containers"][0]
    return found


def _resources(
    spec: dict[str, dict[str, dict[str, list[dict[str, object]]]]], held: object
) -> None:
    spec["template"]["spec"]["containers"][0]["resources"] = held


async def test_who_is_scaled_by_an_autoscaler_is_scaled_by_its_bounds(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", [V1])
    target = {"kind": "Deployment", "name": "cart"}
    cluster.put(
        "horizontalpodautoscalers",
        {
            "metadata": {"name": "cart", "namespace": "shop"},
            "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 6},
        },
    )
    action, order = of("kubernetes.scale", replicas=8)

    with pytest.raises(BadInput, match=r"autoscaler cart chooses .*kubernetes.autoscale"):
        await action.dry_run(order, world)
    preview, _, _ = await there_and_back("kubernetes.autoscale", world, min=4)

    assert preview.says == "autoscaler cart: 2 to 6 -> 4 to 6 replicas"
    with pytest.raises(BadInput, match="9 to 6 is none"):
        await of("kubernetes.autoscale", min=9)[0].dry_run(
            of("kubernetes.autoscale", min=9)[1], world
        )


async def test_no_replicas_at_all_is_destructive_and_a_daemon_set_has_no_number(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", [V1])
    cluster.workload("daemonsets", "agent", [V1])
    action, order = of("kubernetes.scale", replicas=0)

    assert (await action.dry_run(order, world)).risk is Risk.DESTRUCTIVE
    action, order = of("kubernetes.scale", Entity.service("agent"), replicas=2)
    with pytest.raises(BadInput, match="one pod on each node"):
        await action.dry_run(order, world)


async def test_what_somebody_else_changed_is_never_forced(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", [V1])
    action, order = of("kubernetes.scale", replicas=5)
    preview = await action.dry_run(order, world)

    cluster.meanwhile = lambda: cluster.respec(
        "deployments", "shop", "cart", lambda spec: spec.update(replicas=4)
    )
    with pytest.raises(Conflict, match="has changed since it was looked at"):
        await action.apply(order, preview, world)

    assert cluster.get("deployments", "shop", "cart")["spec"]["replicas"] == 4


async def test_a_write_of_the_status_is_no_change(cluster: EmulatedCluster, world: OneWay) -> None:
    cluster.workload("deployments", "cart", [V1])
    action, order = of("kubernetes.scale", replicas=5)
    preview = await action.dry_run(order, world)
    written = iter([True, True])

    def write() -> None:
        if next(written, False):
            cluster.touch("deployments", "shop", "cart", note="1")

    cluster.meanwhile = write
    assert "3 -> 5" in await action.apply(order, preview, world)


@pytest.mark.parametrize("name", ["kubernetes.scale", "kubernetes.restart", "kubernetes.rollback"])
async def test_an_undo_leaves_alone_what_somebody_else_has_set_since(
    name: str, cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", [V1, V2])
    values: dict[str, Value] = {"replicas": 5} if name == "kubernetes.scale" else {}
    action, order = of(name, **values)
    preview = replace(await action.dry_run(order, world), plan="plan-1")
    await action.apply(order, preview, world)

    def theirs(spec: dict[str, dict[str, dict[str, list[dict[str, object]]]]]) -> None:
        spec.update(replicas=7)  # type: ignore[arg-type]
        spec["template"]["spec"]["containers"][0]["image"] = V3

    cluster.respec("deployments", "shop", "cart", theirs)
    with pytest.raises(Conflict, match="Somebody has"):
        await action.undo(order, preview, world)

    assert image(cluster) == V3


async def test_a_rollout_that_does_not_get_on_fails_and_is_put_back(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", ["shop/cart:broken", V2])
    cluster.pod("cart-1", "node-1")
    waits = {"name": "cart", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    cluster.touch("pods", "shop", "cart-1", containerStatuses=[waits])
    action, order = of("kubernetes.rollback")
    preview = await action.dry_run(order, world)

    with pytest.raises(BadAnswer, match=r"does not get on: late \(cart: ImagePullBackOff\)"):
        await action.apply(order, preview, world)
    cluster.denied = {"list pods"}
    with pytest.raises(BadAnswer, match=r"does not get on: late\."):
        await action.apply(order, preview, world)
    await action.undo(order, preview, world)

    assert image(cluster) == V2


async def test_a_plan_is_rehearsed_by_the_server(cluster: EmulatedCluster, world: OneWay) -> None:
    cluster.workload("deployments", "cart", [V1])
    action, order = of("kubernetes.scale", replicas=50)
    cluster.webhook = lambda told: "at most 10" if told["spec"]["replicas"] > 10 else ""

    with pytest.raises(BadInput, match="admission webhook denied the request: at most 10"):
        await action.dry_run(order, world)

    assert cluster.get("deployments", "shop", "cart")["spec"]["replicas"] == 3
    assert any("scale?dryRun=All" in one for one in cluster.asked)


async def test_a_right_that_is_not_there_is_named(cluster: EmulatedCluster, world: OneWay) -> None:
    cluster.workload("deployments", "cart", [V1])
    cluster.denied = {"patch deployments/scale"}
    action, order = of("kubernetes.scale", replicas=5)

    with pytest.raises(BadInput, match=r"HTTP 403.*deployments/scale.*kubernetes.access"):
        await action.dry_run(order, world)
    access, asked = of("kubernetes.access")
    told = await access.apply(asked, await access.dry_run(asked, world), world)

    assert "LACKS patch deployments/scale.apps (kubernetes.scale)" in told
    assert "has get deployments.apps (every change)" in told


async def test_a_busy_server_is_asked_again_and_a_new_token_read(
    cluster: EmulatedCluster, world: OneWay, tmp_path: Path
) -> None:
    cluster.workload("deployments", "cart", [V1])
    action, order = of("kubernetes.scale", replicas=5)
    cluster.busy = 2
    await action.dry_run(order, world)

    cluster.tokens = {"fresh"}
    with pytest.raises(BadInput, match="does not know the account"):
        await action.dry_run(order, world)
    file = tmp_path / "kubeconfig"
    file.write_text(file.read_text().replace("t0ken", "fresh"))

    assert (await action.dry_run(order, world)).says.endswith("3 -> 5 replicas")


async def test_a_cluster_that_is_away_is_said(tmp_path: Path) -> None:
    with served(EmulatedCluster(), tmp_path) as kubeconfig:
        pass
    action, order = of("kubernetes.restart")

    with pytest.raises(Unreachable, match="did not answer"):
        await action.dry_run(order, OneWay(way=reach(kubeconfig, tmp_path)))


async def test_only_one_object_in_an_open_namespace_is_meant(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", [V1])
    cluster.workload("statefulsets", "cart", [V1])

    for values, error, says in (
        ({}, BadInput, "deployment/cart in shop or statefulset/cart in shop"),
        ({"namespace": "kube-system"}, BadInput, "opens no namespace kube-system"),
        ({"kind": "daemonset"}, NotFound, "No daemonset cart is in shop"),
    ):
        action, order = of("kubernetes.restart", **values)
        with pytest.raises(error, match=says):
            await action.dry_run(order, world)
    action, order = of("kubernetes.restart", kind="statefulset", namespace="shop")
    assert "statefulset/cart" in (await action.dry_run(order, world)).says


async def test_the_status_tells_rollout_revisions_and_owner(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", [V1, V2])
    action, order = of("kubernetes.status")

    told = await action.apply(order, await action.dry_run(order, world), world)

    assert told.splitlines() == [
        "deployment/cart in shop: 3 of 3 pods are available, 3 of the newest template",
        f"* revision 2: {V2}",
        f"  revision 1: {V1}",
        "kept by nobody but people",
    ]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"paused": True}, "is paused"),
        ({"workloadRef": {"name": "x"}}, "takes its pods from another workload"),
        ({"updateStrategy": {"type": "OnDelete"}}, "only when they are deleted"),
    ],
)
async def test_what_would_not_roll_out_is_refused(
    spec: dict[str, object], says: str, cluster: EmulatedCluster, world: OneWay
) -> None:
    cluster.workload("deployments", "cart", [V1, V2], **spec)

    for name in ("kubernetes.restart", "kubernetes.rollback"):
        action, order = of(name)
        with pytest.raises(BadInput, match=says):
            await action.dry_run(order, world)
