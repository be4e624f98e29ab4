"""In a storm the rarest alert for its entity points to the cause."""

from dataclasses import replace

import numpy as np
import pytest
from builders.storms import (
    EVERYONE,
    INSTANCES,
    SHOP,
    call_alert,
    history,
    log_alert,
    metric_alert,
    storm,
)
from hypothesis import given
from hypothesis import strategies as st

from opsmith.localise.alerts import LOUDEST, alert_findings, role_of, storm_of, weigh
from opsmith.localise.base_rates import BaseRates, learn
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.signals import Direction

NO_PAST = BaseRates()


def loudest(recording: Recording, rates: BaseRates = NO_PAST) -> Entity:
    strength = alert_findings(recording, rates).strength
    return max(strength, key=lambda entity: strength[entity])


def test_what_rings_on_one_of_many_outweighs_what_rings_on_all() -> None:
    everywhere = [metric_alert(one, "memory", aspect=Aspect.MEMORY) for one in INSTANCES]

    assert loudest(storm(*everywhere, metric_alert(INSTANCES[2]))) == INSTANCES[2]


def test_what_never_rang_before_outweighs_what_always_rings() -> None:
    usual = metric_alert(INSTANCES[0], "usual")
    rates = learn([(storm(usual), ()) for _ in range(20)])

    assert loudest(storm(usual, metric_alert(INSTANCES[1], "new")), rates) == INSTANCES[1]


def test_no_alert_says_nothing() -> None:
    found = alert_findings(storm(), NO_PAST)

    assert found.strength == {}
    assert found.evidence == {}


def test_a_call_is_charged_to_its_callee_first_and_a_log_to_its_writer() -> None:
    found = alert_findings(
        storm(call_alert(INSTANCES[0], INSTANCES[2]), log_alert(INSTANCES[3])), NO_PAST
    )

    assert found.strength[INSTANCES[2]] > found.strength[INSTANCES[3]] > 0
    assert found.strength[INSTANCES[0]] > 0


def test_a_call_recorded_on_its_own_caller_charges_nobody_else() -> None:
    found = alert_findings(storm(call_alert(SHOP, SHOP), call_alert(None, SHOP)), NO_PAST)

    assert set(found.features["peers.own.sum"]) == {SHOP}
    assert "peers.caller.sum" not in found.features


def test_what_was_measured_needs_no_alert_of_who_suffers() -> None:
    series = Series(
        name="up",
        labels=(),
        entity=SHOP,
        aspect=Aspect.OTHER,
        unit=Unit.COUNT,
        kind=MetricKind.GAUGE,
        times_s=np.arange(3.0),
        values=np.ones(3),
    )
    alerts_only = replace(storm(metric_alert(SHOP), metric_alert(INSTANCES[0])), alerting=(SHOP,))

    measured = replace(alerts_only, series=(series,))

    assert len(storm_of(alerts_only)) == 2
    assert [alert.entity for alert in storm_of(measured)] == [INSTANCES[0]]


def test_repeats_of_an_alert_are_one_with_a_count() -> None:
    (one,) = weigh(storm(log_alert(SHOP), log_alert(SHOP)), NO_PAST)

    assert one.times == 14


def test_the_evidence_says_what_rang_and_how_usual_that_is() -> None:
    recording = storm(call_alert(INSTANCES[0], INSTANCES[2]), log_alert(INSTANCES[3]))
    found = alert_findings(recording, learn(history(8)))

    (call,) = found.evidence[INSTANCES[2]]
    (log,) = found.evidence[INSTANCES[3]]
    assert "on calls from instance:shop-0" in call.claim
    assert "7 times" in log.claim
    assert "% of incidents" in log.claim
    assert call.strength > 0


def test_an_early_alert_is_told_from_a_late_and_an_untimed_one() -> None:
    found = alert_findings(
        storm(
            metric_alert(INSTANCES[0], after_s=0),
            metric_alert(INSTANCES[1], after_s=60),
            metric_alert(INSTANCES[2], after_s=None),
        ),
        NO_PAST,
    )

    onset = found.features["onset.metric"]
    assert onset[INSTANCES[0]] == 1
    assert onset[INSTANCES[1]] == pytest.approx(0.5)
    assert INSTANCES[2] not in onset


def test_solved_cases_are_remembered_by_who_caused_them() -> None:
    found = alert_findings(storm(metric_alert(INSTANCES[0])), learn(history(20)))

    nearest = found.features["past.nearest"]
    assert max(nearest, key=lambda entity: nearest[entity]) == INSTANCES[0]


def test_the_flow_is_read_off_the_words_of_a_metric() -> None:
    assert role_of("net_receive") == "-in"
    assert role_of("client_p99") == "-out"
    assert role_of("cpu") == ""


@given(
    st.lists(
        st.tuples(
            st.sampled_from(EVERYONE), st.sampled_from("abcd"), st.sampled_from(list(Direction))
        ),
        max_size=30,
    )
)
def test_strength_stays_between_nothing_and_the_loudest_in_any_order(
    drawn: list[tuple[Entity, str, Direction]],
) -> None:
    alerts = [metric_alert(entity, metric, way) for entity, metric, way in drawn]

    forth = alert_findings(storm(*alerts), NO_PAST).strength
    back = alert_findings(storm(*alerts[::-1]), NO_PAST).strength

    assert forth == pytest.approx(back)
    assert all(0 < value <= LOUDEST + 1e-9 for value in forth.values())
