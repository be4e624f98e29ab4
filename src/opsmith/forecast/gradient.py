"""The gradient of the log-likelihood of a state-space model, in one pass forward and one back.

With r and N the smoother's cumulants (`kalman.backward`), x the smoothed state, A the transition
of a block and Q its diffusion, over all steps of time:

    d/dQ = sum (r r' - N) / 2        d/dA = sum E[(x_t - A x_(t-1)) x_(t-1)'] Q^-1
    d/dP = the same as d/dQ before the first sample     d/dnoise = sum (e e' - D) / 2

so that all hyper-parameters cost what three likelihoods do.
Sources: Koopman & Shephard (1992), "Exact score for time series models in state space form";
Durbin & Koopman (2012), section 7.3.3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast.kalman import forward, onward
from opsmith.numerics.compiled import kernel

Slopes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]


@kernel
def slopes(
    y: NDArray[np.float64],
    transition: NDArray[np.float64],
    diffusion: NDArray[np.float64],
    noise: float,
    prior: NDArray[np.float64],
) -> tuple[float, Slopes]:
    """Log-likelihood of y (n,), NaN for gaps, and its slopes.

    prior: (J, J) covariance of the state before the first sample, its mean 0.
    The slopes are by transition, diffusion and prior of each block, (B, 2, 2) each, and by the
    noise variance. Memory: n J^2 doubles.
    """
    n, states = y.size, prior.shape[0]
    (predicted, covs), (gains, errors, variances) = onward(y, transition, diffusion, noise, prior)
    likelihood = 0.0
    for t in range(n):
        if not np.isnan(y[t]):
            likelihood -= 0.5 * np.log(2.0 * np.pi * variances[t])
            likelihood -= 0.5 * errors[t] * errors[t] / variances[t]
    back = np.ascontiguousarray(transition.transpose((0, 2, 1)))
    moved, spread = np.zeros((*transition.shape, states)), np.zeros_like(transition)
    pull, weight, by_noise = np.zeros(states), np.zeros((states, states)), 0.0
    still = np.zeros_like(transition)
    for t in range(n - 1, -1, -1):
        if not np.isnan(y[t]):
            by_noise += unobserve(pull, weight, gains[t], errors[t], variances[t])
        gather(pull, weight, predicted[t], covs[t], moved, spread)
        forward(pull, weight, back, still)
    before = earlier(transition, diffusion, moved.sum(axis=-1), spread)
    return likelihood, (before, 0.5 * spread, by_prior(pull, weight), by_noise)


@kernel
def unobserve(
    pull: NDArray[np.float64],
    weight: NDArray[np.float64],
    gain: NDArray[np.float64],
    error: float,
    variance: float,
) -> float:
    """Take an observation into the cumulants (J,), (J, J), in place; its part of the noise slope.

    error, variance: the innovation and its variance; gain: (J,).
    """
    states = gain.size
    side = np.zeros(states)
    for i in range(states):
        for j in range(states):
            side[j] += gain[i] * weight[i, j]
    ahead, doubt = 0.0, 1.0 / variance
    for i in range(states):
        ahead += gain[i] * pull[i]
        doubt += gain[i] * side[i]
    smoothed = error / variance - ahead
    for i in range(states):
        seen = 1.0 - i % 2  # the observation is the sum of the first states of the blocks
        pull[i] += seen * smoothed
        for j in range(states):
            weight[i, j] -= seen * side[j]
        for j in range(0, states, 2):
            weight[i, j] -= side[i] - seen * doubt
    return 0.5 * (smoothed * smoothed - doubt)


@kernel
def gather(
    pull: NDArray[np.float64],
    weight: NDArray[np.float64],
    predicted: NDArray[np.float64],
    cov: NDArray[np.float64],
    moved: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> None:
    """Add one step of time to the sums, in place.

    moved: (B, 2, 2, J), r x' - N P with P the predicted covariance, the sum over the last axis
    left for the end (so that the processor adds many at once); spread: (B, 2, 2), r r' - N.
    """
    states = pull.size
    smoothed = predicted.copy()
    for i in range(states):
        for j in range(states):
            smoothed[j] += pull[i] * cov[i, j]
    for b in range(states // 2):
        at = 2 * b
        for i in range(2):
            for k in range(2):
                row = moved[b, i, k]
                row[0] += pull[at + i] * smoothed[at + k]
                for j in range(states):
                    row[j] -= weight[at + i, j] * cov[at + k, j]
                spread[b, i, k] += pull[at + i] * pull[at + k] - weight[at + i, at + k]


@kernel
def earlier(
    transition: NDArray[np.float64],
    diffusion: NDArray[np.float64],
    moved: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Slopes by transition from the sums: x_(t-1) = A^-1 (x_t - Q r), so Q is never inverted."""
    out = np.empty_like(moved)
    for b in range(transition.shape[0]):
        across = np.ascontiguousarray(np.linalg.inv(transition[b]).T)
        out[b] = (moved[b] - spread[b] @ diffusion[b]) @ across
    return out


@kernel
def by_prior(pull: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slopes by the prior of each block, from the cumulants before the first sample."""
    out = np.empty((pull.size // 2, 2, 2))
    for b in range(pull.size // 2):
        for i in range(2):
            for j in range(2):
                row, column = 2 * b + i, 2 * b + j
                out[b, i, j] = 0.5 * (pull[row] * pull[column] - weight[row, column])
    return out
