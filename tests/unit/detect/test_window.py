"""The window's features are what one would compute anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsmith.detect import window
from opsmith.detect.state import SEEN, WINDOW, fresh
from tests.builders.plainly import run_plainly


def pushed(values: np.ndarray) -> np.ndarray:
    state, out = fresh(1), np.zeros(10)
    for value in values:
        window.push(state.scalars[0], state.ring[0], state.order[0], float(value))
    window.features(state.scalars[0], state.ring[0], state.order[0], out)
    return out


def recomputed(values: np.ndarray) -> np.ndarray:
    last = values[-WINDOW:].astype(np.longdouble)  # doubles lose the spread near 1e12
    return np.array(
        [
            last.sum(),
            np.median(last),
            last.mean(),
            len(last),
            last.std(),
            last.var(),
            np.sqrt(np.mean(last**2)),
            last.max(),
            np.abs(last).max(),
            last.min(),
        ]
    )


def test_the_ten_features_of_a_small_series() -> None:
    assert pushed(np.array([1.0, 2.0, 3.0, 6.0])).round(4).tolist() == [
        12.0, 2.5, 3.0, 4.0, 1.8708, 3.5, 3.5355, 6.0, 6.0, 1.0,
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.sampled_from([0.0, 1e12, -1e9])
)
def test_features_equal_recomputed_ones(values: list[float], offset: float) -> None:
    y = np.array(values) + offset

    assert np.allclose(pushed(y), recomputed(y), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("kind", ["noise near 1e12", "outliers", "walk"])
def test_nothing_drifts_in_many_points(kind: str) -> None:
    rng = np.random.default_rng(5)
    y = rng.normal(size=30_000)
    if kind == "noise near 1e12":
        y += 1e12
    if kind == "outliers":
        y[::997] = 1e100
    if kind == "walk":
        y = np.cumsum(y * 1e9)

    assert np.allclose(pushed(y), recomputed(y), rtol=1e-7)


@pytest.mark.slow
def test_nothing_drifts_in_a_million_points() -> None:
    rng = np.random.default_rng(6)
    y = 1e12 + rng.normal(size=1_000_000)

    assert np.allclose(pushed(y), recomputed(y), rtol=1e-7)


def test_the_plain_twins_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    y = np.concatenate((rng.normal(size=150), [1e9], rng.normal(size=80), np.full(70, 3.0)))
    compiled = pushed(y)
    run_plainly(monkeypatch)

    assert pushed(y).tolist() == pytest.approx(compiled.tolist(), rel=1e-12)


def test_the_recent_mean_and_spread_are_of_the_last_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_plainly(monkeypatch)
    state = fresh(1)
    y = np.random.default_rng(8).normal(size=75)
    for value in y:
        window.push(state.scalars[0], state.ring[0], state.order[0], value)

    mean, spread = window.recent(state.ring[0], int(state.scalars[0, SEEN]), 12)

    assert (mean, spread) == pytest.approx((y[-12:].mean(), y[-12:].std()))
