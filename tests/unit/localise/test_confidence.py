"""Confidence keeps its word, and without evidence it abstains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.errors import BadInput
from opsmith.localise.confidence import (
    doubts,
    expected_calibration_error,
    fit_temperature,
    probabilities,
)

scores = st.lists(st.floats(-50, 50), min_size=1, max_size=20).map(np.array)


@given(scores, st.floats(0.1, 10))
def test_chances_sum_to_one_and_keep_the_order_of_the_scores(
    values: np.ndarray, temperature: float
) -> None:
    chances = probabilities(values, temperature=temperature)

    assert chances.sum() == pytest.approx(1)
    assert (np.diff(chances[np.argsort(values, kind="stable")]) >= 0).all()


def test_nobody_to_blame_gives_no_chances() -> None:
    assert len(probabilities(np.zeros(0), temperature=1.0)) == 0


def test_a_temperature_is_above_zero() -> None:
    with pytest.raises(BadInput, match="above 0"):
        probabilities(np.ones(2), temperature=0.0)


def test_a_clear_answer_raises_no_doubt() -> None:
    assert doubts(np.array([0.9, 0.1]), [7.0, 0.0]) == ()


def test_without_candidates_or_evidence_the_answer_is_in_doubt() -> None:
    assert "nobody" in doubts(np.zeros(0), [])[0]
    assert "noise" in doubts(np.array([0.9, 0.1]), [0.5, 0.0])[0]


def test_a_tie_and_a_low_chance_are_told_apart() -> None:
    reasons = doubts(np.full(10, 0.1), [5.0] * 10)

    assert "10 %" in reasons[0]
    assert "within noise" in reasons[1]


def test_a_promise_of_ninety_percent_that_holds_half_the_time_is_off_by_forty_points() -> None:
    chances = np.full(100, 0.9)
    right = np.arange(100) % 2 == 0

    assert expected_calibration_error(chances, right, bins=10) == pytest.approx(0.4)


def test_the_error_of_nothing_is_not_a_number() -> None:
    assert np.isnan(expected_calibration_error(np.zeros(0), np.zeros(0, bool), bins=10))


def test_the_fitted_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    held_out = []
    for _ in range(400):
        honest = rng.normal(size=5)
        chances = probabilities(honest, temperature=1.0)
        held_out.append((4 * honest, np.arange(5) == rng.choice(5, p=chances)))

    assert fit_temperature(held_out) == pytest.approx(4, rel=0.25)


def test_nothing_held_out_leaves_the_scores_as_they_are() -> None:
    assert fit_temperature([(np.ones(2), np.zeros(2, bool))]) == 1.0
