"""Changes on the timeline, and resources that left what is usual."""

import pytest
from small_systems import ALARM_S, CART, PAY, STOCK, first, line, moment, recording

from opsmith.localise.changes import FULL_STRENGTH, changes
from opsmith.localise.resource import resources
from opsmith.localise.scene import read_scene
from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect, MetricKind, Unit
from opsmith.nouns.signals import Change, ChangeKind


def change(entity: Entity, ahead_s: float, version: str | None = None) -> Change:
    return Change(
        at=moment(ALARM_S - ahead_s),
        entity=entity,
        kind=ChangeKind.DEPLOY,
        summary="rolled out",
        version=version,
    )


def test_the_nearer_a_change_precedes_the_alarm_the_more_it_weighs() -> None:
    found = changes(
        read_scene(
            recording(changes=(change(CART, 0.0, "2.0"), change(PAY, 600.0), change(CART, 900.0)))
        )
    )

    assert found.strength[CART] == pytest.approx(FULL_STRENGTH)
    assert found.strength[PAY] == pytest.approx(FULL_STRENGTH / 2)
    assert "deploy of service:cart to version 2.0 0 s before the alarm: rolled out" in (
        found.evidence[CART][0].claim
    )


def test_a_change_after_the_alarm_and_one_without_any_time_tell_nothing() -> None:
    assert changes(read_scene(recording(changes=(change(CART, -60.0),)))).strength == {}
    late = recording(changes=(change(CART, 60.0),), window=None)
    assert changes(read_scene(late)).strength == {}


def test_the_resource_that_rose_most_gives_the_strength_and_its_words() -> None:
    series = (
        line(CART, Aspect.CPU, 0.2, 0.9),
        line(CART, Aspect.POOL, 4.0, 4.1),
        line(STOCK, Aspect.CPU, 0.2, 0.201),
        line(PAY, Aspect.LATENCY, 0.1, 9.0),
        line(None, Aspect.CPU, 0.1, 0.9),
    )

    found = resources(read_scene(recording(series=series)))

    assert first(found.strength.items()) == CART
    assert set(found.strength) == {CART, STOCK}
    assert found.features["cpu"][CART] == found.strength[CART]
    assert "cpu of service:cart (cpu) rose from 20 to 91.8 %" in found.evidence[CART][0].claim


def test_counters_are_told_a_second_and_unknown_units_are_not_told() -> None:
    series = (
        line(CART, Aspect.CPU, 1.0, 9.0, unit=Unit.SECONDS, kind=MetricKind.COUNTER),
        line(STOCK, Aspect.POOL, 1.0, 9.0, unit=Unit.UNKNOWN),
    )

    found = resources(read_scene(recording(series=series)))

    assert "s a second, " in found.evidence[CART][0].claim
    assert "rose from 1 to 9.18, " in found.evidence[STOCK][0].claim


def test_without_series_no_resource_is_known() -> None:
    assert resources(read_scene(recording())).strength == {}
