"""Self-share: the rise that the callees do not have is an entity's own."""

from dataclasses import replace

import numpy as np
import pytest
from small_systems import (
    ALARM_S,
    CART,
    FRONT,
    GRID,
    PAY,
    SHOP,
    STOCK,
    alarm,
    calls,
    first,
    line,
    moment,
    recording,
)

from opsmith.localise.scene import read_scene
from opsmith.localise.self_share import self_share
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording, Window
from opsmith.nouns.series import Aspect
from opsmith.nouns.topology import EdgeKind, Topology


def chain(**parts: object) -> Recording:
    """stock is slow, and cart and front with it."""
    series = (
        line(FRONT, Aspect.LATENCY, 0.100, 0.400),
        line(CART, Aspect.LATENCY, 0.050, 0.350),
        line(STOCK, Aspect.LATENCY, 0.020, 0.320),
        line(PAY, Aspect.LATENCY, 0.030, 0.030),
    )
    return recording(series=series, alerting=(FRONT,), alerts=(alarm(FRONT),), **parts)


def strengths(case: Recording) -> dict[Entity, float]:
    return dict(self_share(read_scene(case)).strength)


def test_the_deepest_of_a_slow_chain_is_blamed() -> None:
    found = self_share(read_scene(chain()))

    assert first(found.strength.items()) == STOCK
    assert found.features["own"][STOCK] == pytest.approx(1.0)
    claim = found.evidence[STOCK][0].claim
    assert "latency of service:stock rose from 20 ms" in claim
    assert "all of the rise is its own" in claim


def test_an_unobserved_callee_is_looked_through() -> None:
    hidden = Entity.service("hidden")
    found = strengths(chain(topology=calls((FRONT, CART), (CART, hidden), (hidden, STOCK))))

    assert first(found.items()) == STOCK


def test_who_is_not_reached_by_ill_entities_counts_less() -> None:
    apart = replace(chain(), topology=calls((FRONT, CART), (PAY, STOCK)))

    assert strengths(apart)[STOCK] < strengths(chain())[STOCK]


def test_a_caller_side_view_loses_against_the_thing_itself() -> None:
    view = Entity(kind=EntityKind.EXTERNAL, name="stock-seen-by-cart")
    twin = line(view, Aspect.LATENCY, 0.020, 0.320)
    case = chain()
    topology = Topology(
        entities=(*SHOP.entities, view), edges=(*SHOP.edges, *calls((CART, view)).edges)
    )

    found = strengths(replace(case, series=(*case.series, twin), topology=topology))

    assert found[view] < found[STOCK]


def test_an_alias_is_a_mere_view() -> None:
    alias = calls((STOCK, PAY), kind=EdgeKind.ALIAS_OF)
    case = chain(topology=Topology(edges=(*SHOP.edges, *alias.edges)))

    assert strengths(case)[STOCK] < strengths(chain())[STOCK]


def test_a_rise_too_rarely_called_cannot_account_for_the_alarm() -> None:
    case = chain()
    rare = (line(STOCK, Aspect.TRAFFIC, 1.0, 1.0), line(FRONT, Aspect.TRAFFIC, 1000.0, 1000.0))

    assert strengths(replace(case, series=(*case.series, *rare)))[STOCK] < strengths(case)[STOCK]


def test_what_was_high_before_the_alarm_is_no_news() -> None:
    window = Window(start=moment(ALARM_S - 300.0), end=moment(GRID[-1] + 1.0))
    reference = (Window(start=moment(GRID[0]), end=moment(ALARM_S - 400.0)),)
    long_ill = line(PAY, Aspect.LATENCY, 0.030, 0.030)
    values = np.where(GRID < ALARM_S - 390.0, 0.030, 0.900)
    long_ill = replace(long_ill, values=values)
    case = replace(chain(), window=window, reference=reference)

    found = strengths(replace(case, series=(*case.series[:3], long_ill)))

    assert found.get(PAY, 0.0) == pytest.approx(0.0, abs=1e-6)
    assert found[STOCK] > 1.0


def test_an_aspect_that_nobody_saw_suffer_counts_less() -> None:
    case = chain()
    errors = line(PAY, Aspect.ERRORS, 0.0, 0.5)
    alerted = replace(case, series=(*case.series, errors))
    unalerted = replace(alerted, alerts=(alarm(FRONT, Aspect.ERRORS),))

    assert strengths(alerted)[PAY] < strengths(unalerted)[PAY]


def test_without_anyone_alerting_every_rise_counts_in_full() -> None:
    found = strengths(replace(chain(), alerting=(), alerts=()))

    assert first(found.items()) == STOCK


def test_an_alerting_entity_that_did_not_rise_is_accounted_for_by_nobody() -> None:
    case = chain()
    flat = line(FRONT, Aspect.LATENCY, 0.100, 0.100, wobble=0.0)

    found = strengths(replace(case, series=(flat, *case.series[1:])))

    assert found[STOCK] < strengths(case)[STOCK]


def test_who_stands_outside_the_known_graph_owns_nothing_for_sure() -> None:
    outside = Entity.service("page")
    case = chain()
    found = self_share(
        read_scene(replace(case, series=(*case.series, line(outside, Aspect.LATENCY, 0.1, 0.9))))
    )

    assert found.features["own"].get(outside, 0.0) == 0.0


def test_of_many_series_the_one_like_the_alerts_is_believed() -> None:
    case = chain()
    other = line(PAY, Aspect.LATENCY, 0.03, 3.0, name="max", labels=(("statistic", "max"),))
    same = line(PAY, Aspect.LATENCY, 0.03, 0.03, name="mean", labels=(("statistic", "mean"),))
    told = replace(alarm(FRONT), labels=(("statistic", "mean"),))

    found = strengths(replace(case, series=(*case.series[:3], other, same), alerts=(told,)))

    assert found[PAY] < 1.0


def test_a_cycle_of_calls_ends() -> None:
    topology = calls((FRONT, CART), (CART, STOCK), (STOCK, FRONT))

    assert set(strengths(chain(topology=topology))) == {FRONT, CART, STOCK, PAY}


def test_nothing_recorded_gives_nothing() -> None:
    assert strengths(recording()) == {}
    assert strengths(replace(chain(), window=None)) == {}


def test_a_series_of_nobody_blames_nobody() -> None:
    found = strengths(recording(series=(line(None, Aspect.LATENCY, 0.1, 9.0),)))

    assert found == {}
