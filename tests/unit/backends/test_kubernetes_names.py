"""Whatever an order says, only names that RFC 1123 allows get into an address of the cluster."""

import re
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from builders.cluster import EmulatedCluster, served
from builders.clusters_reached import reach

from opsmith.errors import OpsmithError
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order, Value
from opsmith.testing.acting import OneWay

PAYLOADS = [
    "; touch /tmp/owned",
    "$(id)",
    "`id`",
    "a|b",
    "../../../api/v1/secrets",
    "cart/../../kube-system/secrets",
    "/etc/passwd",
    "%2e%2e%2fsecrets",
    "cart?dryRun=All",
    "cart#x",
    "cart&fieldSelector=x",
    "-rf",
    "--all",
    "--",
    "cart\n",
    "cart\r\nHost: elsewhere",
    "a\nb",
    "a\0b",
    "\x1b[2J",
    "CART",
    "cärt",
    "cart\u2028",
    "\u0661",
    "ｃａｒｔ",
    "\u202ecart",
    "cart.",
    ".cart",
    "a..b",
    "",
    " ",
    "a" * 254,
    "{cause}",
    "'\"",
]
ADDRESS = re.compile(r"(/[a-z0-9]([-a-z0-9.]*[a-z0-9])?)+")
BY_NAME = {action.spec.name: action for action in BUILT_IN}
NAMES = sorted(
    name for name in BY_NAME if name.startswith("kubernetes.") or name == "traffic.shift"
)


GOOD: dict[str, dict[str, Value]] = {
    "kubernetes.scale": {"replicas": 4},
    "kubernetes.limits": {"memory_mb": 64},
    "kubernetes.autoscale": {"max": 4},
    "kubernetes.patch": {"change": "kubernetes.scale", "replicas": 4},
    "traffic.shift": {"to": "canary", "weight": 5},
}


# What the way makes addresses of; the rest are numbers, and words that it compares.
NAMING = {"namespace", "kind", "via", "change"}
ODD = frozenset(PAYLOADS)


def orders(name: str) -> Iterator[tuple[str, dict[str, Value]]]:
    """Targets and values that are right but for one payload."""
    properties = BY_NAME[name].spec.inputs["properties"]
    assert isinstance(properties, dict)
    good = GOOD.get(name, {})
    for payload in PAYLOADS:
        yield payload, good
        for key in properties:
            yield "cart", {**good, key: payload}


@pytest.mark.parametrize("name", NAMES)
async def test_no_payload_gets_into_an_address_or_changes_anything(
    name: str, tmp_path: Path
) -> None:
    cluster = EmulatedCluster()
    cluster.workload("deployments", "cart", ["cart:1", "cart:2"])
    cluster.node("node-1")
    before = deepcopy(cluster.get("deployments", "shop", "cart")["spec"])
    kind = min(BY_NAME[name].spec.targets)
    with served(cluster, tmp_path) as kubeconfig:
        way = reach(kubeconfig, tmp_path)
        for target, values in orders(name):
            # As it is ordered, and to the way itself, which checks again whoever tells it.
            with suppress(OpsmithError):
                await ordered(name, Entity(kind=kind, name=target), values, OneWay(way=way))
            if target != "cart" or NAMING & {key for key, one in values.items() if one in ODD}:
                with suppress(OpsmithError):
                    await way.look(Entity(kind=kind, name=target), name, values)
        await way.aclose()

    if name != "kubernetes.restart":
        assert cluster.get("deployments", "shop", "cart")["spec"] == before
    for line in cluster.asked:
        path = urlsplit(line.partition(" ")[2]).path
        assert ADDRESS.fullmatch(path), line
        assert not set(path.split("/")) & {"..", "kube-system", "secrets", "passwd"}


async def ordered(name: str, target: Entity, values: dict[str, Value], world: OneWay) -> None:
    order = Order(action=name, target=target, values=values)
    action = Registry(BUILT_IN).checked(order)
    await action.apply(order, await action.dry_run(order, world), world)
