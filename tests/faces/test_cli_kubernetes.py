"""Plans on a cluster, as typed, from the targets file to an emulated API server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.cluster import EmulatedCluster, Object, served
from click.testing import CliRunner, Result

from opsmith.cli.main import opsmith

SHARES = [
    {"destination": {"subset": "stable"}, "weight": 100},
    {"destination": {"subset": "canary"}, "weight": 0},
]


@pytest.fixture
def cluster() -> EmulatedCluster:
    made = EmulatedCluster()
    made.workload("deployments", "cart", ["cart:1", "cart:2"])
    meta = {"name": "cart", "namespace": "shop"}
    made.put("virtualservices", {"metadata": meta, "spec": {"http": [{"route": SHARES}]}})
    return made


@pytest.fixture(autouse=True)
def house(
    cluster: EmulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    with served(cluster, tmp_path) as kubeconfig:
        place = {"cluster": "test", "namespace": "shop", "workload": "deployment/cart"}
        targets: Object = {
            "kubernetes": [{"name": "test", "kubeconfig": str(kubeconfig), "context": "test"}],
            "targets": [{"target": "service:cart", "kubernetes": place}],
        }
        (tmp_path / "targets.yaml").write_text(json.dumps(targets))
        monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("OPSMITH_TARGETS_FILE", str(tmp_path / "targets.yaml"))
        yield


def typed(*words: str) -> Result:
    return CliRunner().invoke(opsmith, words)


def made(*words: str) -> str:
    result = typed("plan", *words, "--why", "it is ill", "-o", "json")
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["id"])


def spec(cluster: EmulatedCluster, plural: str = "deployments") -> Object:
    found: Object = cluster.get(plural, "shop", "cart")["spec"]
    return found


def test_a_workload_is_scaled_and_put_back(cluster: EmulatedCluster) -> None:
    name = made("kubernetes.scale", "service:cart", "percent=50")
    assert spec(cluster)["replicas"] == 3
    typed("approve", name)

    done = typed("run", name)
    assert (done.exit_code, spec(cluster)["replicas"]) == (0, 5)
    assert typed("undo", name).exit_code == 0

    assert spec(cluster)["replicas"] == 3


def test_a_plan_is_refused_once_somebody_has_changed_the_object(cluster: EmulatedCluster) -> None:
    name = made("kubernetes.scale", "service:cart", "replicas=5")
    typed("approve", name)
    cluster.respec("deployments", "shop", "cart", lambda spec: spec.update(replicas=4))

    ran = typed("run", name)

    assert ran.exit_code == 1
    assert "has changed since the plan was made" in ran.stdout
    assert spec(cluster)["replicas"] == 4


def test_a_rollout_that_is_stuck_is_undone(cluster: EmulatedCluster) -> None:
    cluster.respec(
        "deployments",
        "shop",
        "cart",
        lambda spec: spec["template"]["spec"]["containers"][0].update(image="cart:broken"),
    )
    cluster.respec(
        "deployments",
        "shop",
        "cart",
        lambda spec: spec["template"]["spec"]["containers"][0].update(image="cart:4"),
    )
    name = made("kubernetes.rollback", "service:cart")
    typed("approve", name)

    ran = typed("run", name)

    assert ran.exit_code == 1
    assert "does not get on" in ran.stdout
    assert "What was done before is undone" in ran.stdout
    assert spec(cluster)["template"]["spec"]["containers"][0]["image"] == "cart:4"


def test_what_a_tool_keeps_gets_a_patch_and_no_approval_is_needed(
    cluster: EmulatedCluster, tmp_path: Path
) -> None:
    labels = cluster.get("deployments", "shop", "cart")["metadata"].setdefault("labels", {})
    labels["argocd.argoproj.io/instance"] = "shop"
    check = "expression_quiet=up == 0"

    planned = typed("plan", "kubernetes.scale", "service:cart", "replicas=5", "--why", "x")
    name = made("kubernetes.scale", "service:cart", "replicas=5", "--check", check)
    ran = typed("run", name)

    assert "Argo CD application shop" in planned.stdout
    assert "nothing live changed" in planned.stdout
    assert (ran.exit_code, "nothing live was changed" in ran.stdout) == (0, True)
    (file,) = (tmp_path / "data" / "patches").iterdir()
    assert str(file) in ran.stdout
    assert spec(cluster)["replicas"] == 3
