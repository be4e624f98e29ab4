"""What a GitOps tool keeps gets a patch for it, and no live change."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from builders.cluster import EmulatedCluster, Object, served
from builders.clusters_reached import of, reach

from opsmith.backends.reach.kubernetes import KubernetesReach
from opsmith.backends.reach.kubernetes_objects import WORKLOADS
from opsmith.backends.reach.kubernetes_patch import patch_text
from opsmith.backends.reach.kubernetes_places import ClusterPlace, ObjectPlace
from opsmith.backends.reach.kubernetes_workloads import Change
from opsmith.errors import Conflict
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order
from opsmith.testing.acting import NOON, OneWay

CART = Entity.service("cart")
TRACKED = {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/cart"}}
FLUX = "kustomize.toolkit.fluxcd.io"


@pytest.fixture
def cluster() -> EmulatedCluster:
    made = EmulatedCluster()
    made.workload("deployments", "cart", ["cart:1", "cart:2"])
    return made


@pytest.fixture
def kubeconfig(cluster: EmulatedCluster, tmp_path: Path) -> Iterator[Path]:
    with served(cluster, tmp_path) as file:
        yield file


@pytest.fixture
def world(kubeconfig: Path, tmp_path: Path) -> OneWay:
    return OneWay(way=reach(kubeconfig, tmp_path))


def marked(cluster: EmulatedCluster, marks: Object) -> None:
    meta = cluster.get("deployments", "shop", "cart")["metadata"]
    for name, value in marks.items():
        meta[name] = {**meta.get(name, {}), **value} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("marks", "owner"),
    [
        (
            TRACKED,
            "Argo CD application shop (annotation argocd.argoproj.io/tracking-id)",
        ),
        (
            {"labels": {"argocd.argoproj.io/instance": "shop"}},
            "Argo CD application shop (label argocd.argoproj.io/instance)",
        ),
        (
            {
                "labels": {"app.kubernetes.io/instance": "shop"},
                "managedFields": [{"manager": "argocd-controller"}],
            },
            "Argo CD application shop (field manager argocd-controller)",
        ),
        (
            {"labels": {f"{FLUX}/name": "apps", f"{FLUX}/namespace": "flux-system"}},
            f"Flux Kustomization apps (label {FLUX}/name)",
        ),
        (
            {"labels": {"helm.toolkit.fluxcd.io/name": "cart"}},
            "Flux HelmRelease cart (label helm.toolkit.fluxcd.io/name)",
        ),
        (
            {
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {"meta.helm.sh/release-name": "cart"},
            },
            "Helm release cart (annotation meta.helm.sh/release-name)",
        ),
        (
            {"managedFields": [{"manager": "kubectl"}, {"manager": "kustomize-controller"}]},
            "Flux Kustomization (field manager kustomize-controller)",
        ),
        (
            {"ownerReferences": [{"kind": "Shop", "name": "eu", "controller": True, "uid": "1"}]},
            "Shop eu (its controller by owner reference)",
        ),
        ({"labels": {"app.kubernetes.io/instance": "cart"}}, ""),
        ({"managedFields": [{"manager": "kubectl-client-side-apply"}]}, ""),
        (
            {
                "labels": {f"{FLUX}/name": "apps"},
                "annotations": {f"{FLUX}/reconcile": "disabled"},
                "managedFields": [{"manager": "kustomize-controller"}],
            },
            "",
        ),
    ],
)
async def test_who_keeps_an_object_is_seen(
    marks: Object, owner: str, cluster: EmulatedCluster, world: OneWay
) -> None:
    marked(cluster, marks)
    scale, order = of("kubernetes.scale", CART, replicas=5)

    preview = await scale.dry_run(order, world)

    assert preview.owner == owner
    assert (preview.instead is not None) is bool(owner)


async def test_nothing_live_is_changed_when_an_owner_came_in_between(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    scale, order = of("kubernetes.scale", CART, replicas=5)
    preview = await scale.dry_run(order, world)
    marked(cluster, TRACKED)

    with pytest.raises(Conflict, match="kept by Argo CD application shop"):
        await scale.apply(order, preview, world)


async def written(order: Order, world: OneWay, tmp_path: Path) -> tuple[str, str]:
    """(what the patch says of itself, what it said of where it belongs)."""
    patch, asked = of("kubernetes.patch", CART, **{"change": order.action, **order.values})
    preview = await patch.dry_run(asked, world)
    says = await patch.apply(asked, preview, world)
    assert (await patch.verify(asked, preview, world)).holds
    assert await patch.undo(asked, preview, world) == "nothing was changed"
    assert patch.resource(asked) == "patch service:cart"
    (file,) = (tmp_path / "patches").iterdir()
    return file.read_text(), says


async def test_the_patch_says_whose_it_is_and_where_it_belongs(
    cluster: EmulatedCluster, world: OneWay, tmp_path: Path
) -> None:
    marked(cluster, TRACKED)
    source = {"repoURL": "https://git.example/shop", "path": "apps/cart", "targetRevision": "main"}
    cluster.put(
        "applications",
        {"metadata": {"name": "shop", "namespace": "argocd"}, "spec": {"source": source}},
    )
    _, order = of("kubernetes.scale", CART, replicas=5)

    text, says = await written(order, world, tmp_path)

    assert text.startswith(
        "# deployment/cart in shop: 3 -> 5 replicas\n"
        "# Kept by: Argo CD application shop (annotation argocd.argoproj.io/tracking-id)\n"
        "# Its source: https://git.example/shop, path apps/cart, at main\n"
    )
    assert yaml.safe_load(text) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"replicas": 5},
    }
    assert "https://git.example/shop, path apps/cart" in says
    assert not [one for one in cluster.asked if one.startswith("PATCH")]


def _env(spec: Object) -> None:
    container = spec["template"]["spec"]["containers"][0]
    container["image"] = "cart:3"
    container["env"] = [{"name": "NEW", "value": "1"}]
    container["args"] = ["--fast"]


async def test_a_rollback_is_only_what_differs(
    cluster: EmulatedCluster, world: OneWay, tmp_path: Path
) -> None:
    cluster.respec("deployments", "shop", "cart", _env)
    marked(cluster, TRACKED)
    _, order = of("kubernetes.rollback", CART)

    text, _ = await written(order, world, tmp_path)

    container = {"name": "cart", "image": "cart:2", "env": None, "args": None}
    assert yaml.safe_load(text)["spec"] == {"template": {"spec": {"containers": [container]}}}


async def test_a_manifest_of_the_targets_file_is_named(
    cluster: EmulatedCluster, kubeconfig: Path, tmp_path: Path
) -> None:
    marked(cluster, TRACKED)
    manifest = Path("/srv/gitops/shop/cart.yaml")
    way = KubernetesReach(
        {"test": ClusterPlace(kubeconfig=kubeconfig)},
        places={
            CART: ObjectPlace(
                cluster="test", namespace="shop", workload="deployment/cart", manifest=manifest
            )
        },
        clock=lambda: NOON,
        patches=tmp_path / "patches",
    )
    _, order = of("kubernetes.restart", CART)

    text, says = await written(order, OneWay(way=way), tmp_path)

    assert f"# Belongs to: {manifest}" in text
    assert f"it belongs to {manifest}" in says


async def test_weights_of_a_custom_kind_replace_the_whole_list(
    cluster: EmulatedCluster, world: OneWay, tmp_path: Path
) -> None:
    shares = [{"destination": {"subset": one}} for one in ("a", "b")]
    meta = {"name": "cart", "namespace": "shop", **TRACKED}
    cluster.put("virtualservices", {"metadata": meta, "spec": {"http": [{"route": shares}]}})
    _, order = of("traffic.shift", CART, to="b", weight=10)

    text, _ = await written(order, world, tmp_path)

    routes = yaml.safe_load(text)["spec"]["http"]
    assert [one["weight"] for one in routes[0]["route"]] == [90, 10]
    assert "# A JSON merge patch" in text


async def test_no_text_of_a_cluster_becomes_a_line_of_its_own(
    cluster: EmulatedCluster, world: OneWay, tmp_path: Path
) -> None:
    hostile = "shop\nkind: ConfigMap\n#"
    marked(cluster, {"labels": {"argocd.argoproj.io/instance": hostile}})
    _, order = of("kubernetes.scale", CART, replicas=5)

    text, _ = await written(order, world, tmp_path)

    assert yaml.safe_load(text)["kind"] == "Deployment"


LIVE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  template:
    metadata: {annotations: {a: b}}
    spec:
      volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]
      containers:
        - {name: cart, image: "cart:3", args: [--fast], env: [{name: N, value: "1"}, {name: K}]}
        - {name: side, image: "side:1"}
"""
WANTED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  template:
    metadata: {annotations: {c: d, opsmith/plan: plan-1}}
    spec:
      volumes: [{name: w, emptyDir: {}}]
      containers:
        - {name: cart, image: "cart:2", env: [{name: O, value: "9"}, {name: K}]}
        - {name: extra, image: "x:1"}
"""
# `kubectl patch --local --type strategic` (1.37) makes WANTED of LIVE with it, but for the plan.
MERGED = """
template:
  metadata: {annotations: {c: d, a: null}}
  spec:
    volumes: [{name: v, $patch: delete}]
    containers:
      - name: cart
        image: cart:2
        env: [{name: O, value: "9"}, {name: N, $patch: delete}]
        args: null
      - {name: extra, image: "x:1"}
      - {name: side, $patch: delete}
"""


def test_lists_of_a_built_in_kind_are_merged_by_their_keys() -> None:
    change = Change(
        on=yaml.safe_load(LIVE),
        wanted=yaml.safe_load(WANTED),
        kind=WORKLOADS["deployment"],
        ops=[],
        says="cart",
    )

    text = patch_text(change, None, source="", manifest=None)

    assert yaml.safe_load(text)["spec"] == yaml.safe_load(MERGED)
