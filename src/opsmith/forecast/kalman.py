"""Kalman filter and smoother for models made of two-state blocks, in compiled kernels.

The state is B blocks of two; the transition and its noise are block-diagonal, the observation is
the sum of the blocks' first states plus white noise. With J = 2 B states a step costs O(J^2)
until the gain has converged, then O(J). A missing sample skips the update.
Sources: Rauch, Tung & Striebel (1965); Durbin & Koopman (2012), sections 4.3 to 4.4;
Sarkka & Solin (2019), Applied Stochastic Differential Equations, ch. 12.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsmith.numerics.compiled import kernel

# The gain counts as converged when no element moves by more than this share of the largest
# for `SETTLED` observations on end; the forecasts then differ by less than the noise of a double.
CONVERGED = 1e-10
SETTLED = 8


@kernel
def forward(
    mean: NDArray[np.float64],
    cov: NDArray[np.float64],
    transition: NDArray[np.float64],
    diffusion: NDArray[np.float64],
) -> None:
    """One step of time, in place. mean (J,), cov (J, J), transition and diffusion (B, 2, 2)."""
    blocks = transition.shape[0]
    for b in range(blocks):
        i = 2 * b
        a00, a01 = transition[b, 0, 0], transition[b, 0, 1]
        a10, a11 = transition[b, 1, 0], transition[b, 1, 1]
        low, high = mean[i], mean[i + 1]
        mean[i] = a00 * low + a01 * high
        mean[i + 1] = a10 * low + a11 * high
        for c in range(b, blocks):
            j = 2 * c
            # rows: A_b P_bc
            p00 = a00 * cov[i, j] + a01 * cov[i + 1, j]
            p01 = a00 * cov[i, j + 1] + a01 * cov[i + 1, j + 1]
            p10 = a10 * cov[i, j] + a11 * cov[i + 1, j]
            p11 = a10 * cov[i, j + 1] + a11 * cov[i + 1, j + 1]
            # columns: (A_b P_bc) A_c'
            c00, c01 = transition[c, 0, 0], transition[c, 0, 1]
            c10, c11 = transition[c, 1, 0], transition[c, 1, 1]
            cov[i, j] = p00 * c00 + p01 * c01
            cov[i, j + 1] = p00 * c10 + p01 * c11
            cov[i + 1, j] = p10 * c00 + p11 * c01
            cov[i + 1, j + 1] = p10 * c10 + p11 * c11
        cov[i, i] += diffusion[b, 0, 0]
        cov[i, i + 1] += diffusion[b, 0, 1]
        cov[i + 1, i] += diffusion[b, 1, 0]
        cov[i + 1, i + 1] += diffusion[b, 1, 1]
        for j in range(i + 2, 2 * blocks):
            cov[j, i] = cov[i, j]
            cov[j, i + 1] = cov[i + 1, j]


@kernel
def observe(
    mean: NDArray[np.float64], cov: NDArray[np.float64], gain: NDArray[np.float64], noise: float
) -> tuple[float, float]:
    """Write the gain (J,) of the next observation and give (its predicted mean, its variance)."""
    predicted, variance = 0.0, noise
    for i in range(gain.size):
        total = 0.0
        for j in range(0, gain.size, 2):
            total += cov[i, j]
        gain[i] = total
    for i in range(0, gain.size, 2):
        predicted += mean[i]
        variance += gain[i]
    for i in range(gain.size):
        gain[i] /= variance
    return predicted, variance


@kernel
def drift(mean: NDArray[np.float64], transition: NDArray[np.float64]) -> None:
    """One step of time for the mean (J,) alone, in place."""
    for b in range(transition.shape[0]):
        low, high = mean[2 * b], mean[2 * b + 1]
        mean[2 * b] = transition[b, 0, 0] * low + transition[b, 0, 1] * high
        mean[2 * b + 1] = transition[b, 1, 0] * low + transition[b, 1, 1] * high


@kernel
def shrink(cov: NDArray[np.float64], gain: NDArray[np.float64], variance: float) -> None:
    """What an observation takes from the covariance (J, J), in place: g g' S."""
    for i in range(gain.size):
        for j in range(gain.size):
            cov[i, j] -= gain[i] * gain[j] * variance


@kernel
def stretch(
    y: NDArray[np.float64],
    transition: NDArray[np.float64],
    diffusion: NDArray[np.float64],
    noise: float,
    state: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    memo: NDArray[np.float64],
) -> float:
    """Filter y (n,), NaN for gaps, on from a state, in place; gives the log-likelihood.

    state: mean (J,), covariance (J, J), gain (J,) after the last sample (or the prior).
    memo: (2,) innovation variance and for how many updates on end the gain has stood still;
    from `SETTLED` on the gain is frozen, until a gap needs the covariance again.
    """
    mean, cov, gain = state
    before = gain.copy()
    likelihood = 0.0
    for t in range(y.size):
        if np.isnan(y[t]):
            memo[1] = 0.0
            forward(mean, cov, transition, diffusion)
            continue
        if memo[1] >= SETTLED:
            drift(mean, transition)
            predicted = mean[::2].sum()
        else:
            forward(mean, cov, transition, diffusion)
            predicted, memo[0] = observe(mean, cov, gain, noise)
            shrink(cov, gain, memo[0])
            change = np.abs(gain - before).max()
            memo[1] = memo[1] + 1 if change <= CONVERGED * np.abs(gain).max() else 0.0
            before[:] = gain
        error = y[t] - predicted
        mean += gain * error
        likelihood -= 0.5 * (np.log(2.0 * np.pi * memo[0]) + error * error / memo[0])
    return likelihood


@kernel
def ahead(
    mean: NDArray[np.float64],
    cov: NDArray[np.float64],
    transition: NDArray[np.float64],
    diffusion: NDArray[np.float64],
    steps: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (steps, B) of each block and variances (steps,) of the noise-free sum, O(h J^2)."""
    blocks = transition.shape[0]
    mean, cov = mean.copy(), cov.copy()
    means, variances = np.empty((steps, blocks)), np.empty(steps)
    for step in range(steps):
        forward(mean, cov, transition, diffusion)
        total = 0.0
        for i in range(0, 2 * blocks, 2):
            means[step, i // 2] = mean[i]
            for j in range(0, 2 * blocks, 2):
                total += cov[i, j]
        variances[step] = total
    return means, variances


Predictions = tuple[NDArray[np.float64], NDArray[np.float64]]
Updates = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@kernel
def onward(
    y: NDArray[np.float64],
    transition: NDArray[np.float64],
    diffusion: NDArray[np.float64],
    noise: float,
    prior: NDArray[np.float64],
) -> tuple[Predictions, Updates]:
    """The filter's way through y (n,), kept for a way back.

    Predicted means (n, J) and covariances (n, J, J); gains (n, J), errors and variances (n,),
    which are 0, 0 and 1 in gaps.
    """
    n, states = y.size, prior.shape[0]
    predicted, covs = np.empty((n, states)), np.empty((n, states, states))
    gains, errors, variances = np.zeros((n, states)), np.zeros(n), np.ones(n)
    mean, cov = np.zeros(states), prior.copy()
    for t in range(n):
        forward(mean, cov, transition, diffusion)
        predicted[t], covs[t] = mean, cov
        if not np.isnan(y[t]):
            centre, variances[t] = observe(mean, cov, gains[t], noise)
            errors[t] = y[t] - centre
            mean += gains[t] * errors[t]
            shrink(cov, gains[t], variances[t])
    return (predicted, covs), (gains, errors, variances)


@kernel
def smooth(
    y: NDArray[np.float64],
    transition: NDArray[np.float64],
    diffusion: NDArray[np.float64],
    noise: float,
    prior: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (n, B) of each block and variances (n,) of their sum given all of y (n,).

    prior: (J, J) covariance of the state before the first sample, its mean 0.
    The backward pass runs on the predictions alone and inverts nothing (Durbin & Koopman 2012,
    equations 4.38 to 4.43). Memory: n J^2 doubles.
    """
    predictions, updates = onward(y, transition, diffusion, noise, prior)
    return backward(y, transition, predictions, updates)


@kernel
def backward(
    y: NDArray[np.float64],
    transition: NDArray[np.float64],
    predictions: Predictions,
    updates: Updates,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smoother's way back, from the last sample to the first.

    predictions: means (n, J), covariances (n, J, J); updates: gains (n, J), errors, variances.
    """
    predicted, covs = predictions
    gains, errors, variances = updates
    n, states = predicted.shape
    pull, weight = np.zeros(states), np.zeros((states, states))
    select = np.zeros(states)
    select[::2] = 1.0
    back = np.ascontiguousarray(transition.transpose((0, 2, 1)))
    still = np.zeros_like(back)
    means, spreads = np.empty((n, states // 2)), np.empty(n)
    for t in range(n - 1, -1, -1):
        if not np.isnan(y[t]):
            side = weight @ gains[t]
            pull += select * (errors[t] / variances[t] - gains[t] @ pull)
            weight -= np.outer(select, side) + np.outer(side, select)
            weight += np.outer(select, select) * (gains[t] @ side + 1.0 / variances[t])
        means[t] = (predicted[t] + covs[t] @ pull)[::2]
        side = covs[t] @ select
        spreads[t] = side @ select - side @ (weight @ side)
        forward(pull, weight, back, still)
    return means, spreads
