"""traffic.shift over a VirtualService, an HTTPRoute or a Rollout of an emulated API server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders.cluster import EmulatedCluster, Object, served
from builders.clusters_reached import of, reach

from opsmith.errors import BadInput, Conflict, NotFound
from opsmith.nouns.entity import Entity
from opsmith.testing.acting import OneWay

CART = Entity.service("cart")
SHIFT = "traffic.shift"


@pytest.fixture
def cluster() -> EmulatedCluster:
    return EmulatedCluster()


@pytest.fixture
def world(cluster: EmulatedCluster, tmp_path: Path) -> Iterator[OneWay]:
    with served(cluster, tmp_path) as kubeconfig:
        yield OneWay(way=reach(kubeconfig, tmp_path))


def virtual_service(cluster: EmulatedCluster, *weights: int) -> Object:
    """A route by a header to one destination, and one that shares out."""
    names = ("stable", "canary", "old")
    shares = [
        {"destination": {"host": "cart", "subset": name}, "weight": weight}
        for name, weight in zip(names, weights, strict=False)
    ]
    routes = [
        {"name": "testers", "route": [{"destination": {"host": "cart", "subset": "canary"}}]},
        {"name": "all", "route": shares},
    ]
    return cluster.put(
        "virtualservices",
        {"metadata": {"name": "cart", "namespace": "shop"}, "spec": {"http": routes}},
    )


def http_route(cluster: EmulatedCluster) -> Object:
    shares = [
        {"name": "cart-stable", "port": 80},
        {"name": "cart-canary", "port": 80, "weight": 0},
    ]
    return cluster.put(
        "httproutes",
        {
            "metadata": {"name": "cart", "namespace": "shop"},
            "spec": {"rules": [{"backendRefs": shares}]},
        },
    )


def weights(told: Object) -> list[int]:
    spec = told["spec"]
    shares = spec["http"][1]["route"] if "http" in spec else spec["rules"][0]["backendRefs"]
    return [one.get("weight", 1) for one in shares]


async def test_a_virtual_service_goes_there_and_back(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    told = virtual_service(cluster, 100, 0)
    shift, order = of(SHIFT, CART, to="canary", weight=5)

    preview = await shift.dry_run(order, world)
    assert not (await shift.verify(order, preview, world)).holds
    await shift.apply(order, preview, world)
    assert (await shift.apply(order, preview, world)).startswith("as it is already")
    assert (await shift.verify(order, preview, world)).holds
    assert weights(told) == [95, 5]
    await shift.undo(order, preview, world)

    assert preview.says == (
        "virtualservice/cart in shop: route all: stable 100, canary 0 -> stable 95, canary 5"
    )
    assert weights(told) == [100, 0]
    assert "weight" not in told["spec"]["http"][0]["route"][0]


async def test_an_http_route_goes_there_and_back(cluster: EmulatedCluster, world: OneWay) -> None:
    told = http_route(cluster)
    shift, order = of(SHIFT, CART, to="cart-canary", weight=25)

    preview = await shift.dry_run(order, world)
    await shift.apply(order, preview, world)
    assert weights(told) == [75, 25]
    await shift.undo(order, preview, world)

    assert weights(told) == [1, 0]


@pytest.mark.parametrize(
    ("before", "to", "weight", "after"),
    [
        ((60, 0, 40), "canary", 25, [45, 25, 30]),
        ((33, 33, 34), "canary", 1, [49, 1, 50]),
        ((0, 100, 0), "canary", 50, [25, 50, 25]),
        ((1, 0, 2), "canary", 99, [0, 99, 1]),
        ((70, 10, 20), "stable", 100, [100, 0, 0]),
    ],
)
async def test_the_rest_keeps_its_proportions_and_all_add_up_to_100(
    before: tuple[int, ...],
    to: str,
    weight: int,
    after: list[int],
    cluster: EmulatedCluster,
    world: OneWay,
) -> None:
    told = virtual_service(cluster, *before)
    shift, order = of(SHIFT, CART, to=to, weight=weight)

    await shift.apply(order, await shift.dry_run(order, world), world)

    assert (weights(told), sum(weights(told))) == (after, 100)


async def test_a_canary_of_argo_stops_at_the_weight_and_goes_on_as_it_would_have(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    steps = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
    told = cluster.workload("rollouts", "cart", ["cart:1"], strategy={"canary": {"steps": steps}})
    shift, order = of(SHIFT, CART, weight=40)
    with pytest.raises(BadInput, match="no canary now"):
        await shift.dry_run(order, world)
    told["status"].update(stableRS="a", currentPodHash="b", currentStepIndex=1)

    preview = await shift.dry_run(order, world)
    await shift.apply(order, preview, world)
    now = told["spec"]["strategy"]["canary"]["steps"]
    assert now == [{"setWeight": 40}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
    assert (await shift.verify(order, preview, world)).holds
    await shift.undo(order, preview, world)

    assert preview.says == "rollout/cart in shop: canary 20 -> 40 of 100, and wait there"
    assert told["spec"]["strategy"]["canary"]["steps"] == steps


async def test_an_undo_leaves_weights_that_somebody_else_has_set(
    cluster: EmulatedCluster, world: OneWay
) -> None:
    told = virtual_service(cluster, 100, 0)
    shift, order = of(SHIFT, CART, to="canary", weight=5)
    preview = await shift.dry_run(order, world)
    await shift.apply(order, preview, world)
    told["spec"]["http"][1]["route"][1]["weight"] = 50

    with pytest.raises(Conflict, match="Somebody has changed the weights"):
        await shift.undo(order, preview, world)


async def test_what_cannot_be_meant_is_said(cluster: EmulatedCluster, world: OneWay) -> None:
    shift, order = of(SHIFT, CART, to="canary", weight=5)
    with pytest.raises(NotFound, match="shares service:cart's traffic"):
        await shift.dry_run(order, world)
    virtual_service(cluster, 100, 0)
    for to in ("nobody", "cart"):
        with pytest.raises(BadInput, match="there are canary, stable"):
            await shift.dry_run(replace(order, values={"to": to, "weight": 5}), world)
    http_route(cluster)

    with pytest.raises(BadInput, match=r"Both virtualservice/cart .* httproute/cart.*`via`"):
        await shift.dry_run(order, world)
    _, named = of(SHIFT, CART, to="canary", weight=5, via="virtualservice", route="all")
    assert "canary 5" in (await shift.dry_run(named, world)).says
