"""The path: widest by sickness or least by cost, with circles named and limits flagged."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_systems import CART, FRONT, PAY, SHOP, STOCK, calls

from opsmith.localise.graph import CallGraph, build_graph
from opsmith.localise.path import COST_LIMIT, DEEPEST, condensed, find_path, influence
from opsmith.localise.symptoms import ILL, Symptom
from opsmith.nouns.diagnosis import PathWeights
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.topology import EdgeKind, Topology

NAMES = [Entity.service(f"s{number}") for number in range(7)]


def graph(*topologies: Topology) -> CallGraph:
    return build_graph([edge for one in topologies for edge in one.edges])


def ill(**changes: float) -> dict[Entity, Symptom]:
    return {Entity.service(name): Symptom(change=change) for name, change in changes.items()}


def test_the_path_runs_from_the_cause_to_who_alerts() -> None:
    path = find_path(graph(SHOP), ill(stock=9.0, cart=7.0, front=5.0), STOCK, [FRONT])

    assert path.entities == (STOCK, CART, FRONT)
    assert path.bottleneck == 5.0
    assert not path.over_limit


def test_of_two_ways_the_sicker_is_taken() -> None:
    diamond = calls((FRONT, CART), (FRONT, PAY), (CART, STOCK), (PAY, STOCK))
    path = find_path(graph(diamond), ill(stock=9.0, cart=1.0, pay=8.0, front=5.0), STOCK, [FRONT])

    assert path.entities == (STOCK, PAY, FRONT)


def test_the_additive_rule_takes_the_least_cost_and_so_avoids_the_sick() -> None:
    diamond = calls((FRONT, CART), (FRONT, PAY), (CART, STOCK), (PAY, STOCK))
    symptoms = {
        STOCK: Symptom(error_rate=1.0, latency_s=0.1),
        CART: Symptom(latency_s=0.01),
        PAY: Symptom(latency_s=0.5),
    }

    path = find_path(graph(diamond), symptoms, STOCK, [FRONT], PathWeights.ADDITIVE)

    assert path.entities == (STOCK, CART, FRONT)
    assert path.cost == pytest.approx(math.log(2.0) + 1.0 + 0.1)


def test_the_path_goes_on_from_who_alerts_to_callers_that_are_ill() -> None:
    path = find_path(graph(SHOP), ill(stock=9.0, cart=7.0, front=5.0), STOCK, [STOCK])
    calm = find_path(graph(SHOP), ill(stock=9.0, cart=7.0, front=1.0), STOCK, [STOCK])

    assert path.entities == (STOCK, CART, FRONT)
    assert calm.entities == (STOCK, CART)


def test_an_edge_starts_at_its_caller() -> None:
    path = find_path(graph(SHOP), ill(cart=3.0), Entity.edge("cart", "stock"), [FRONT])

    assert path.entities == (Entity.edge("cart", "stock"), CART, FRONT)


def test_an_edge_of_unknown_callers_is_its_own_path() -> None:
    path = find_path(graph(SHOP), {}, Entity.edge("who", "stock"), [FRONT])

    assert path.entities == (Entity.edge("who", "stock"), Entity.service("who"))


def test_a_long_path_is_flagged_and_still_whole() -> None:
    chain = calls(*pairwise(NAMES))
    path = find_path(graph(chain), {}, NAMES[-1], [NAMES[0]])

    assert len(path.entities) == len(NAMES)
    assert len(path.entities) - 1 > DEEPEST
    assert path.over_limit


def test_a_costly_path_is_flagged() -> None:
    path = find_path(graph(SHOP), {STOCK: Symptom(latency_s=COST_LIMIT)}, STOCK, [FRONT])

    assert path.over_limit


def test_circles_are_named_and_do_not_hang() -> None:
    circle = calls((FRONT, CART), (CART, STOCK), (STOCK, CART))
    path = find_path(graph(circle), ill(stock=5.0, cart=4.0, front=3.0), STOCK, [FRONT])

    assert path.entities == (STOCK, CART, FRONT)
    assert path.cycles == ((CART, STOCK),)


def test_a_cause_that_reaches_nobody_is_the_whole_path() -> None:
    assert find_path(graph(SHOP), {}, Entity.service("lone"), [FRONT]).entities == (
        Entity.service("lone"),
    )


def test_without_anyone_alerting_it_ends_where_nobody_calls() -> None:
    assert find_path(graph(SHOP), {}, STOCK, []).entities == (STOCK, CART, FRONT)


def test_hosts_instances_and_views_pass_trouble_on() -> None:
    host = Entity(kind=EntityKind.HOST, name="h")
    pod = Entity(kind=EntityKind.INSTANCE, name="cart-1")
    view = Entity(kind=EntityKind.EXTERNAL, name="cart-view")
    topology = (
        SHOP,
        calls((pod, host), kind=EdgeKind.RUNS_ON),
        calls((pod, CART), kind=EdgeKind.INSTANCE_OF),
        calls((view, CART), kind=EdgeKind.ALIAS_OF),
        calls((host, host)),
    )
    found = graph(*topology)

    assert find_path(found, {}, host, [FRONT]).entities == (host, pod, CART, FRONT)
    assert view in influence(found)[CART]


def slow_widest(found: CallGraph, symptoms: dict[Entity, Symptom]) -> float:
    """The best bottleneck over all simple ways from the last to the first name."""
    ways = influence(found)
    best = -1.0

    def walk(here: Entity, passed: tuple[Entity, ...], worth: float) -> None:
        nonlocal best
        if here == NAMES[0]:
            best = max(best, worth)
            return
        for step in ways.get(here, ()):
            if step not in passed:
                walk(step, (*passed, step), min(worth, symptoms[step].change))

    walk(NAMES[-1], (NAMES[-1],), math.inf)
    return best


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000))
def test_the_widest_path_is_that_of_trying_them_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = {
        (NAMES[a], NAMES[b]) for a, b in rng.integers(0, len(NAMES), (12, 2)).tolist() if a != b
    }
    found = build_graph((), pairs)
    symptoms = {one: Symptom(change=float(rng.integers(0, 5))) for one in NAMES}

    path = find_path(found, symptoms, NAMES[-1], [NAMES[0]])

    best = slow_widest(found, symptoms)
    if best < 0.0:
        assert path.entities == (NAMES[-1],)
    else:
        end = path.entities.index(NAMES[0])
        assert min(symptoms[one].change for one in path.entities[1 : end + 1]) == best
        assert all(symptoms[one].change >= ILL for one in path.entities[end + 1 :])
        ways = influence(found)
        assert all(b in ways[a] for a, b in pairwise(path.entities))
        assert len(set(path.entities)) == len(path.entities)


def test_groups_come_in_topological_order() -> None:
    ways = influence(graph(calls((FRONT, CART), (CART, STOCK), (STOCK, CART), (PAY, FRONT))))

    groups, circles = condensed(ways, STOCK)

    assert groups == [[CART, STOCK], [FRONT], [PAY]]
    assert circles == [(CART, STOCK)]
