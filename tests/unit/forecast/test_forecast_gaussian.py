"""The state-space process equals the dense one of scikit-learn on the same kernel."""

from collections.abc import Callable

import numpy as np
import pytest
from made_for_forecasts import wave
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    WhiteKernel,
)

from opsmith.forecast import covariance, gaussian, gradient, kalman, learning
from opsmith.forecast.grid import regular
from opsmith.numerics.compiled import plain

KERNEL = covariance.Kernel(
    slow=(1.0, 50.0),
    fast=(0.5, 5.0),
    day=(0.8, 1.0, np.inf),
    noise=0.3,
    day_steps=24,
    harmonics=(11, 0),
)
DENSE = (
    ConstantKernel(1.0) * Matern(50.0, nu=1.5)
    + ConstantKernel(0.25) * Matern(5.0, nu=1.5)
    + ConstantKernel(0.64) * ExpSineSquared(1.0, 24.0)
)


def gappy(n: int) -> np.ndarray:
    y = wave(n) - 10
    y[np.random.default_rng(3).random(n) < 0.1] = np.nan
    return y


@pytest.mark.parametrize("n", [40, 300])
def test_likelihood_forecast_and_smoothing_equal_scikit_learns(n: int) -> None:
    y = gappy(n)
    known = np.isfinite(y)
    t = np.arange(n, dtype=float)[:, None]
    grid = regular(y, step_s=3600.0)

    process = gaussian.condition(grid, KERNEL, (0.0, 1.0), np.array([n]))
    mean, deviation = gaussian.predict(process, 30)
    smooth, spread = gaussian.smoothed(grid, process)

    noisy = GaussianProcessRegressor(DENSE + WhiteKernel(0.09), optimizer=None, alpha=1e-12)
    noisy.fit(t[known], y[known])
    expected, sigma = noisy.predict(n + np.arange(30.0)[:, None], return_std=True)
    quiet = GaussianProcessRegressor(DENSE, optimizer=None, alpha=0.09).fit(t[known], y[known])
    inside, width = quiet.predict(t, return_std=True)
    assert process.likelihood == pytest.approx(noisy.log_marginal_likelihood_value_, abs=1e-6)
    np.testing.assert_allclose(mean, expected, atol=1e-6)
    np.testing.assert_allclose(deviation, sigma, atol=1e-6)
    np.testing.assert_allclose(smooth, inside, atol=1e-6)
    np.testing.assert_allclose(spread, width, atol=1e-6)


def test_a_trend_equals_the_linear_kernel() -> None:
    kernel = covariance.Kernel(slow=(0.5, 9.0), fast=(0.1, 2.0), noise=0.2, trend=(1.0, 0.1))
    y = 0.05 * np.arange(60.0) + 0.1 * wave(60)
    process = gaussian.condition(regular(y, step_s=3600.0), kernel, (0.0, 1.0), np.array([60]))

    mean, _ = gaussian.predict(process, 10)

    t = np.arange(1.0, 61.0)[:, None]
    dense = ConstantKernel(0.25) * Matern(9.0, nu=1.5) + ConstantKernel(0.01) * Matern(2.0, nu=1.5)
    dense = dense + ConstantKernel(0.01) * DotProduct(10.0)
    expected = GaussianProcessRegressor(dense, optimizer=None, alpha=0.04).fit(t, y)
    np.testing.assert_allclose(
        mean, expected.predict(60 + np.arange(1.0, 11.0)[:, None]), atol=1e-6
    )


def test_a_frozen_gain_changes_nothing_and_a_gap_thaws_it() -> None:
    kernel = covariance.Kernel(slow=(1.0, 5.0), fast=(0.5, 2.0), noise=0.5)
    y = wave(600) - 10
    y[400:403] = np.nan
    blocks = covariance.blocks_of(kernel)
    stops = np.array([300, 600])

    frozen = gaussian.filtered(y, blocks, stops)
    states = 2 * len(blocks.names)
    state = (np.zeros(states), blocks.whole_prior(), np.zeros(states))
    total = 0.0
    for value in y:  # a fresh memo each time never freezes
        memo = np.array([1.0, 0.0])
        one = np.array([value])
        total += kalman.stretch(
            one, blocks.transition, blocks.diffusion, blocks.noise, state, memo
        )

    assert frozen[0] == pytest.approx(total, rel=1e-9)
    np.testing.assert_allclose(frozen[1][1], state[0], atol=1e-8)


def test_kernels_agree_with_their_plain_twins(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = covariance.blocks_of(covariance.Kernel(slow=(1.0, 4.0), fast=(0.5, 1.0), noise=0.5))
    y = wave(60) - 10
    y[50] = np.nan
    model = (blocks.transition, blocks.diffusion, blocks.noise)

    def both() -> list[np.ndarray]:
        state = (np.zeros(4), blocks.whole_prior(), np.zeros(4))
        memo = np.array([1.0, 0.0])
        likelihood = kalman.stretch(y, *model, state, memo)
        ahead = kalman.ahead(state[0], state[1], blocks.transition, blocks.diffusion, 5)
        smooth = kalman.smooth(y, *model, blocks.whole_prior())
        return [np.array([likelihood]), state[0], state[1], *ahead, *smooth]

    compiled = both()
    for name in (
        "forward",
        "drift",
        "observe",
        "shrink",
        "stretch",
        "ahead",
        "smooth",
        "backward",
    ):
        twin: Callable[..., object] = plain(getattr(kalman, name))
        monkeypatch.setattr(kalman, name, twin)

    for fast, slow in zip(compiled, both(), strict=True):
        np.testing.assert_allclose(fast, slow, rtol=1e-9, atol=1e-12)


def test_learning_raises_the_likelihood_and_forecasts_the_wave() -> None:
    y = wave(24 * 30, noise=0.3)
    grid = regular(y[: 24 * 28], step_s=3600.0)

    process = gaussian.fit(grid)
    warm = gaussian.fit(grid, start=process.kernel)
    mean, deviation = gaussian.predict(process, 48)

    assert process.kernel.week_steps == 168
    assert warm.likelihood >= process.likelihood - 1.0
    assert np.abs(mean - y[24 * 28 :]).mean() < 0.6
    assert 0.2 < deviation[0] < 1.0


def test_parts_of_the_process_add_up() -> None:
    process = gaussian.fit(regular(wave(24 * 5), step_s=3600.0), trend=True)

    parts = gaussian.parts(process, 12)

    assert {"trend", "level", "day"} == set(parts)
    np.testing.assert_allclose(sum(parts.values()), gaussian.predict(process, 12)[0])


def test_short_or_dayless_series_have_no_seasons() -> None:
    process = gaussian.fit(regular(np.arange(30.0) % 5, step_s=200_000.0))

    assert process.kernel.day_steps == 0
    assert np.isfinite(gaussian.predict(process, 5)[0]).all()


SEASONAL = covariance.Kernel(
    slow=(1.0, 20.0),
    fast=(0.5, 4.0),
    day=(0.8, 1.0, 200.0),
    week=(0.5, 1.2, 900.0),
    noise=0.3,
    trend=(1.0, 0.1),
    day_steps=24,
    week_steps=168,
    harmonics=(2, 2),
)


def test_the_gradient_is_the_slope_of_the_likelihood() -> None:
    y = gappy(200)
    moving = [*range(11)]
    loss = learning.loss_of(y, SEASONAL, moving)
    theta = np.log([1.0, 20.0, 0.5, 4.0, 0.3, 0.8, 1.0, 200.0, 0.5, 1.2, 900.0])

    value, gradient = loss(theta)

    model = covariance.blocks_of(SEASONAL)
    expected = gaussian.filtered(y, model, np.array([200]))[0]
    nudges = 1e-5 * np.eye(11)
    slopes = [(loss(theta + one)[0] - loss(theta - one)[0]) / 2e-5 for one in nudges]
    assert value == pytest.approx(-expected / 200, rel=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-8)


def test_the_gradients_kernels_agree_with_their_plain_twins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = covariance.blocks_of(SEASONAL)
    arguments = (
        gappy(40),
        model.transition,
        model.diffusion,
        model.noise,
        model.whole_prior(),
    )

    compiled = gradient.slopes(*arguments)
    for name in ("slopes", "unobserve", "gather", "earlier", "by_prior"):
        twin: Callable[..., object] = plain(getattr(gradient, name))
        monkeypatch.setattr(gradient, name, twin)
    slow = gradient.slopes(*arguments)

    assert compiled[0] == pytest.approx(slow[0], rel=1e-12)
    for fast, obvious in zip(compiled[1], slow[1], strict=True):
        np.testing.assert_allclose(fast, obvious, rtol=1e-9, atol=1e-9)


def test_how_long_a_pattern_lasts_is_learned() -> None:
    rng = np.random.default_rng(4)
    t = np.arange(24 * 30)
    steady = np.sin(2 * np.pi * t / 24) + 0.1 * rng.normal(size=t.size)
    each_day = rng.normal(size=(30, 2)).repeat(24, axis=0)
    restless = (each_day * np.stack([np.sin(t / 3.82), np.cos(t / 3.82)], axis=1)).sum(axis=1)

    kept = gaussian.fit(regular(steady, step_s=3600.0)).kernel
    lost = gaussian.fit(regular(restless, step_s=3600.0)).kernel

    assert kept.day[2] > 24 * 30 > lost.day[2] or lost.day[0] < 0.3


def test_a_week_is_learned_from_five_minute_samples() -> None:
    step_s = 300.0
    t = np.arange(288 * 24)
    weekend = (t // 288) % 7 >= 5
    y = np.where(weekend, 0.0, 10.0) + np.random.default_rng(5).normal(size=t.size)
    known = regular(y[: 288 * 23], step_s=step_s)

    process = gaussian.fit(known)
    mean, _ = gaussian.predict(process, 288)

    assert process.kernel.week_steps == 2_016
    assert np.abs(mean - np.where(weekend, 0.0, 10.0)[288 * 23 :]).mean() < 2.0


def test_a_day_that_no_hour_divides_is_learned_in_longer_cells() -> None:
    y = np.sin(2 * np.pi * np.arange(206 * 6) / 206)

    process = gaussian.fit(regular(y, step_s=419.0))

    assert process.kernel.day_steps == 206
    assert np.isfinite(gaussian.predict(process, 10)[0]).all()
