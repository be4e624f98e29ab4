"""The low-rank adapter: exact gradients, what it can learn, calibration."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from opsmith.numerics import lowrank


def blobs(rng: np.random.Generator, *, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    y = np.repeat(np.arange(classes), 12)
    centres = rng.normal(size=(classes, 6))
    return centres[y] + 0.3 * rng.normal(size=(len(y), 6)), y


def test_the_gradient_of_adapter_and_head_is_that_of_finite_differences() -> None:
    rng = np.random.default_rng(3)
    x, y = blobs(rng)
    z = x / np.linalg.norm(x, axis=1, keepdims=True)
    like = lowrank.fit_head(x, y, classes=3, rank=2, rng=rng)
    at = rng.normal(size=like.down.size + like.up.size + like.weights.size + like.bias.size)

    exact = lowrank.joint_loss(at, z, y, like)[1]

    slow = approx_fprime(at, lambda flat: lowrank.joint_loss(flat, z, y, like)[0], 1e-6)
    np.testing.assert_allclose(exact, slow, atol=1e-5)


@pytest.mark.parametrize("method", [lowrank.fit_head, lowrank.fit])
def test_groups_that_lie_apart_are_told_apart(method: Callable[..., lowrank.LowRank]) -> None:
    x, y = blobs(np.random.default_rng(4))

    fitted = method(x, y, classes=3, rank=2, rng=np.random.default_rng(0))

    assert (lowrank.logits(x, fitted).argmax(axis=1) == y).mean() > 0.9
    np.testing.assert_allclose(lowrank.probabilities(x, fitted).sum(axis=1), 1.0)


def test_the_same_seed_gives_the_same_weights() -> None:
    x, y = blobs(np.random.default_rng(5))

    one, other = (
        lowrank.fit(x, y, classes=3, rank=2, rng=np.random.default_rng(0)) for _ in range(2)
    )

    np.testing.assert_array_equal(one.up, other.up)


def test_scores_that_are_too_bold_are_cooled() -> None:
    y = np.array([0, 1] * 50)
    scores = np.where(np.eye(2)[np.where(np.arange(100) % 4 == 0, 1 - y, y)] > 0, 20.0, 0.0)

    cooled = scores / lowrank.best_temperature(scores, y)

    best = np.exp(cooled).max(axis=1) / np.exp(cooled).sum(axis=1)
    assert best.mean() == pytest.approx(0.75, abs=0.02)


def test_nothing_is_answered_when_no_threshold_is_right_often_enough() -> None:
    wrong = np.zeros(5, dtype=bool)

    assert lowrank.abstention_threshold(np.linspace(0, 0.9, 5), wrong, precision=0.9) == 1.0
