"""One-step prediction: trees, local levels and the Student-t error of the next residual."""

import lightgbm
import numpy as np
import pytest
from scipy import stats

from opsmith.detect import predict, window
from opsmith.detect.state import PREDICTED, RESIDUALS, SEEN, fresh
from opsmith.detect.trees import flat_trees
from opsmith.errors import BadInput
from tests.builders.plainly import run_plainly


def stump() -> predict.Trees:
    """x[1] <= 2 gives -1, else 5."""
    return predict.Trees(
        feature=np.array([1, -1, -1], np.int32),
        bound=np.array([2.0, 0.0, 0.0]),
        left=np.array([1, 0, 0], np.int32),
        right=np.array([2, 0, 0], np.int32),
        value=np.array([0.0, -1.0, 5.0]),
        roots=np.array([0], np.int32),
    )


@pytest.mark.parametrize("plainly", [False, True])
def test_a_tree_goes_left_at_its_bound(monkeypatch: pytest.MonkeyPatch, *, plainly: bool) -> None:
    if plainly:
        run_plainly(monkeypatch)
    x = np.zeros(predict.INPUTS)

    at_bound = predict.tree_sum(stump(), np.concatenate(([0.0, 2.0], x)))
    over = predict.tree_sum(stump(), np.concatenate(([0.0, 2.1], x)))

    assert (at_bound, over) == (-1.0, 5.0)


def test_flat_trees_say_what_lightgbm_says() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2000, predict.INPUTS))
    y = x[:, 0] + np.sin(3 * x[:, 1]) + 0.1 * rng.normal(size=2000)
    settings = {"objective": "regression", "num_leaves": 15, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(x, y), num_boost_round=20)

    trees = flat_trees(booster.dump_model())

    ours = [predict.tree_sum(trees, row) for row in x[:200]]
    assert ours == pytest.approx(booster.predict(x[:200]).tolist(), abs=1e-9)


def test_the_t_quantile_is_scipys() -> None:
    for freedom in (7.0, 20.0, 63.0):
        ours = predict.t_quantile(2.5758, freedom)

        assert ours == pytest.approx(stats.t.ppf(0.995, freedom), rel=4e-3)


def test_the_residual_error_is_that_of_one_more_normal_observation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_plainly(monkeypatch)
    state = fresh(1)
    scalars, residuals = state.scalars[0], state.residuals[0]
    scalars[PREDICTED] = 0.0
    values = np.random.default_rng(4).normal(size=300)
    assert predict.residual_t(scalars, 9.0) == 0.0
    for value in values:
        predict.keep_residual(scalars, residuals, float(value))
        scalars[SEEN] += 1

    last = values[-RESIDUALS:]
    error = last.std(ddof=1) * np.sqrt(1 + 1 / RESIDUALS)
    assert predict.residual_t(scalars, 9.0) == pytest.approx((9.0 - last.mean()) / error, rel=1e-5)


def test_trees_predict_in_the_scale_of_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)
    state, scratch = fresh(1), np.zeros(predict.INPUTS)
    scalars, ring, order = state.scalars[0], state.ring[0], state.order[0]
    y = np.random.default_rng(5).normal(50.0, 3.0, size=60)
    y[-2] = 50.0
    for value in y:
        window.push(scalars, ring, order, value)

    predict.foresee(scalars, ring, order, stump(), scratch)

    assert scalars[PREDICTED] == pytest.approx(y.mean() - y.std())


@pytest.mark.parametrize(("y", "expected"), [([5.0] * 99, 5.0), ([0.0] * 50 + [9.0] * 50, 9.0)])
def test_the_best_local_level_predicts(
    monkeypatch: pytest.MonkeyPatch, y: list[float], expected: float
) -> None:
    run_plainly(monkeypatch)
    state, scratch = fresh(1), np.zeros(predict.INPUTS)
    for value in y:
        predict.follow(state.scalars[0], value)
        state.scalars[0, SEEN] += 1
    predict.foresee(state.scalars[0], state.ring[0], state.order[0], predict.no_trees(), scratch)

    assert state.scalars[0, PREDICTED] == pytest.approx(expected, abs=0.01)


def test_a_slow_level_predicts_noise_better_than_the_last_value() -> None:
    state, scratch = fresh(1), np.zeros(predict.INPUTS)
    for value in np.random.default_rng(6).normal(size=500):
        predict.follow(state.scalars[0], value)
        state.scalars[0, SEEN] += 1
    predict.foresee(state.scalars[0], state.ring[0], state.order[0], predict.no_trees(), scratch)

    assert abs(state.scalars[0, PREDICTED]) < 0.6


@pytest.mark.parametrize(
    "dump",
    [
        None,
        {"tree_info": []},
        {"tree_info": [{"tree_structure": {"leaf_value": "x"}}]},
        {"tree_info": [{"tree_structure": {"split_feature": 0, "decision_type": "=="}}]},
    ],
)
def test_what_is_no_model_of_numbers_is_refused(dump: object) -> None:
    with pytest.raises(BadInput):
        flat_trees(dump)
