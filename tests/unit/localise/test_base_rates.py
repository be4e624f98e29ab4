"""How surprising an alert is: learned from the past, shrunk towards what names nobody."""

import pytest
from builders.storms import (
    INSTANCES,
    SHOP,
    call_alert,
    history,
    metric_alert,
    storm,
)
from hypothesis import given
from hypothesis import strategies as st

from opsmith.errors import BadInput
from opsmith.localise.base_rates import (
    UNSEEN_RATE,
    BaseRates,
    class_of,
    from_json,
    learn,
    metric_of,
    signature_of,
    to_json,
)
from opsmith.nouns.entity import Entity


def test_an_alert_that_always_rings_is_likelier_than_one_that_never_did() -> None:
    often, never = metric_alert(INSTANCES[0]), metric_alert(INSTANCES[1], "disk_used")
    rates = learn([(storm(often), ()) for _ in range(10)])

    assert rates.rate(often) > 0.8
    assert rates.rate(never) < 0.3


def test_what_the_cause_raised_is_no_background() -> None:
    alert = metric_alert(INSTANCES[0])

    blamed = learn([(storm(alert), {INSTANCES[0]})] * 5)
    unknown = learn([(storm(alert), ())] * 5)

    assert blamed.rate(alert) < unknown.rate(alert)
    assert len(blamed.cases) == 5
    assert unknown.cases == ()


def test_without_a_past_only_the_class_speaks() -> None:
    alert = metric_alert(INSTANCES[0])

    assert BaseRates().rate(alert) == pytest.approx(UNSEEN_RATE)
    assert BaseRates(classes={class_of(alert): 0.4}).rate(alert) == pytest.approx(0.4)


def test_a_class_names_neither_entity_nor_metric() -> None:
    alert = metric_alert(INSTANCES[0], "my_secret_metric")

    assert INSTANCES[0].name not in class_of(alert)
    assert "secret" not in class_of(alert)
    assert "secret" in metric_of(alert)
    assert INSTANCES[0].name in signature_of(alert)


def test_a_call_of_ones_own_is_a_class_of_its_own() -> None:
    assert class_of(call_alert(SHOP, SHOP)).endswith("own")
    assert class_of(call_alert(INSTANCES[0], SHOP)).endswith("call")


@given(st.integers(0, 12), st.integers(0, 3))
def test_every_rate_is_a_chance_and_survives_the_file(count: int, seed: int) -> None:
    rates = learn(history(count, seed=seed))

    again = from_json(to_json(rates))

    assert again.cases == rates.cases
    for recording, _ in history(3, seed=seed + 1):
        for alert in recording.alerts:
            assert 0 < rates.rate(alert) <= 1
            assert again.rate(alert) == pytest.approx(rates.rate(alert), abs=1e-5)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"version": 99}', '{"version": 1, "incidents": "many"}'],
)
def test_a_broken_file_is_told(text: str) -> None:
    with pytest.raises(BadInput):
        from_json(text)


def test_a_rate_is_held_between_nothing_and_certainty() -> None:
    text = to_json(BaseRates()).replace('"classes": {}', '"classes": {"a": 7, "b": -1}')

    assert dict(from_json(text).classes) == {"a": 1.0, "b": 0.0}


def test_cases_keep_their_causes_in_one_order() -> None:
    both = {INSTANCES[1], INSTANCES[0]}

    (case,) = learn([(storm(metric_alert(SHOP)), both)]).cases

    assert case.causes == tuple(sorted(both))
    assert all(isinstance(cause, Entity) for cause in case.causes)
