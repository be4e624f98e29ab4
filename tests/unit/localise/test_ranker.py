"""One score a candidate: measured evidence summed, alert patterns read by a forest."""

import json
from dataclasses import replace

import numpy as np
import pytest
from builders.storms import (
    EVERYONE,
    HOST,
    INSTANCES,
    SHOP,
    history,
    metric_alert,
    storm,
)
from hypothesis import given
from hypothesis import strategies as st

from opsmith.errors import BadInput
from opsmith.localise import fitted, fitting
from opsmith.localise.base_rates import BaseRates
from opsmith.localise.channel_weights import fit_weights
from opsmith.localise.diagnose import localise
from opsmith.localise.features import feature_table
from opsmith.localise.findings import Findings
from opsmith.localise.fitted import Fitted
from opsmith.localise.fitting import (
    GROWTH_OF_ONE,
    Growth,
    Labelled,
    fit_forest,
    labelled,
    refit,
    softmax,
)
from opsmith.localise.ranker import MEASURING, UNFITTED, Forest, Ranker, from_json, to_json
from opsmith.nouns.diagnosis import Channel, Status

SMALL = Growth(trees=20, leaves=4, fewest_in_leaf=3)


def tables(count: int, seed: int = 0) -> list[Labelled]:
    return [
        labelled(recording, causes, BaseRates()) for recording, causes in history(count, seed=seed)
    ]


def found(**strength: float) -> Findings:
    by_name = {entity.name: entity for entity in EVERYONE}
    return Findings(
        channel=Channel.RESOURCE,
        strength={by_name[name]: value for name, value in strength.items()},
        evidence={},
    )


def test_without_alerts_the_score_is_the_fused_evidence() -> None:
    other = replace(found(shop=1.0, bank=3.0), channel=Channel.EDGE_GAP)
    table = feature_table(storm(), EVERYONE, [found(shop=2.0), other])

    forest = fit_forest(tables(20), SMALL, seed=0)

    expected = np.zeros(len(EVERYONE))
    expected[0] = np.log1p(4) + np.log1p(1)
    expected[1] = np.log1p(9)
    for ranker in (UNFITTED, Ranker(forests=(forest,))):
        assert ranker.scores(table) == pytest.approx(expected)


def test_with_its_alerts_taken_away_a_storm_is_inconclusive() -> None:
    learned = refit(history(40), UNFITTED, seed=1)
    recording, _ = history(1, seed=77)[0]

    before = localise(recording, ranker=learned.ranker, base_rates=learned.base_rates)
    after = localise(storm(), ranker=learned.ranker, base_rates=learned.base_rates)

    assert before.status is Status.DIAGNOSED
    assert after.status is Status.INCONCLUSIVE
    assert len(after.causes) == len(EVERYONE)
    assert after.causes[0].confidence <= 1 / len(EVERYONE) + 1e-9


def test_a_channel_weight_scales_what_that_channel_says() -> None:
    table = feature_table(storm(), EVERYONE, [found(shop=2.0)])

    twice = Ranker(channels={Channel.RESOURCE: 2.0}).scores(table)

    assert twice == pytest.approx(2 * UNFITTED.scores(table))


def test_without_a_forest_the_alerts_own_strength_ranks() -> None:
    one = labelled(storm(metric_alert(INSTANCES[1])), (), BaseRates())

    assert int(UNFITTED.scores(one.table).argmax()) == EVERYONE.index(INSTANCES[1])


def test_a_fitted_forest_finds_the_cause_of_storms_that_it_never_saw() -> None:
    ranker = Ranker(forests=(fit_forest(tables(60), GROWTH_OF_ONE, seed=0),))

    unseen = tables(20, seed=9)

    right = [
        one.table.entities[int(ranker.scores(one.table).argmax())] in one.causes for one in unseen
    ]
    assert np.mean(right) > 0.9


@given(st.integers(0, 1000))
def test_the_flat_forest_walks_as_a_slow_walker_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(12, len(FOREST.columns)))
    values[rng.random(values.shape) < 0.3] = np.nan

    assert FOREST.predict(values) == pytest.approx([slow_walk(FOREST, row) for row in values])


FOREST = fit_forest(tables(30), SMALL, seed=0)


def slow_walk(forest: Forest, row: np.ndarray) -> float:
    total = 0.0
    for root in forest.roots:
        node = int(root)
        while forest.column[node] >= 0:
            seen = row[forest.column[node]]
            go_left = forest.missing_left[node] if np.isnan(seen) else seen <= forest.below[node]
            node = int(forest.left[node] if go_left else forest.right[node])
        total += forest.value[node]
    return total


def test_a_forest_is_the_same_each_time_and_after_the_file() -> None:
    again = fit_forest(tables(30), SMALL, seed=0)
    ranker = Ranker(
        forests=(FOREST,), temperature=2.0, channels={Channel.ERRORS: 0.5}, origin="me"
    )

    back = from_json(to_json(ranker))

    one = tables(1, seed=5)[0].table
    assert FOREST.value == pytest.approx(again.value)
    assert back.scores(one) == pytest.approx(ranker.scores(one), rel=1e-3)
    assert (back.temperature, back.origin) == (2.0, "me")
    assert back.channels == {Channel.ERRORS: 0.5}


@pytest.mark.parametrize("text", ["{", "[1]", "{}", '{"version": 9}', '{"version": 1}'])
def test_text_that_holds_no_weights_is_told(text: str) -> None:
    with pytest.raises(BadInput):
        from_json(text)
    with pytest.raises(BadInput):
        fitted.from_json(text)


@pytest.mark.parametrize(
    ("part", "value"),
    [("left", 0), ("right", 10**6), ("column", 10**6), ("roots", -1), ("value", None)],
)
def test_trees_that_lead_astray_are_refused(part: str, value: int | None) -> None:
    whole = json.loads(to_json(Ranker(forests=(FOREST,))))
    array = whole["forests"][0][part]
    if value is None:
        array.pop()
    else:
        array[0] = value

    with pytest.raises(BadInput):
        from_json(json.dumps(whole))


def test_what_was_learned_survives_the_file() -> None:
    learned = refit(history(24), UNFITTED, seed=1)

    back = fitted.from_json(fitted.to_json(learned))

    assert back.base_rates.incidents == 24
    assert len(back.base_rates.cases) == 24
    assert len(back.ranker.forests) == 1
    assert "24 solved incidents" in back.ranker.origin


def test_a_refit_joins_the_shipped_forest_and_ranks_what_is_new() -> None:
    shipped = Ranker(forests=(FOREST,))
    learned = refit(history(40), shipped, seed=1)

    recording, causes = history(1, seed=77)[0]
    diagnosis = localise(recording, ranker=learned.ranker, base_rates=learned.base_rates)

    assert len(learned.ranker.forests) == 2
    assert diagnosis.causes[0].entity in causes


def test_solved_incidents_without_storms_leave_the_alerts_to_the_shipped_forest() -> None:
    learned = refit([(storm(), frozenset({SHOP}))], Ranker(temperature=1.5), seed=1)

    assert learned.ranker.forests == ()
    assert learned.ranker.temperature == 1.5
    assert set(learned.ranker.channels.values()) == {1.0}


def test_causes_that_are_no_candidates_teach_nothing() -> None:
    stranger = replace(SHOP, name="stranger")

    with pytest.raises(BadInput, match="names a cause"):
        refit([(storm(), frozenset({stranger}))], UNFITTED, seed=1)
    with pytest.raises(BadInput, match="names a cause"):
        fit_forest([Labelled(table=tables(1)[0].table, causes={stranger})], SMALL, seed=1)


def test_a_tree_without_a_root_is_told() -> None:
    with pytest.raises(TypeError, match="without a root"):
        fitting._append(None, [])  # noqa: SLF001 - what LightGBM promises cannot be broken otherwise


def test_a_channel_that_misleads_loses_weight_and_one_that_tells_gains_it() -> None:
    rng = np.random.default_rng(3)
    incidents = []
    for _ in range(80):
        causes = np.arange(6) == rng.integers(6)
        telling = causes + rng.random(6)
        misleading = ~causes * rng.random(6) * 3
        incidents.append((np.column_stack([telling, misleading]), causes))

    telling_weight, misleading_weight = fit_weights(incidents, 2)

    assert telling_weight > 1.5
    assert misleading_weight < 0.2


def test_few_incidents_move_a_weight_little_and_none_not_at_all() -> None:
    one = (np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([True, False]))

    assert fit_weights([one], 2) == pytest.approx([1, 1], abs=0.1)
    assert fit_weights([(one[0], np.zeros(2, bool))], 2) == pytest.approx([1, 1])


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=8))
def test_shares_of_a_softmax_sum_to_one_in_each_incident(scores: list[float]) -> None:
    twice = softmax(np.array(scores * 2), np.repeat([0, 1], len(scores)))

    assert twice[: len(scores)].sum() == pytest.approx(1)
    assert twice[: len(scores)] == pytest.approx(twice[len(scores) :])


def test_the_empty_value_ranks_by_evidence_alone() -> None:
    assert Fitted().ranker.forests == ()
    assert len(MEASURING) == len(Channel) - 1
    assert HOST in EVERYONE
