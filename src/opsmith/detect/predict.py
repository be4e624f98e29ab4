"""One step ahead: what the next value should be, and how far off the real one was."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsmith.detect.state import (
    LAST,
    LEVEL_ERRORS,
    LEVELS,
    PREDICTED,
    RESIDUAL_COUNT,
    RESIDUAL_SQUARES,
    RESIDUAL_SUM,
    RESIDUALS,
    SEEN,
    WINDOW,
    Bytes,
    Floats,
    Singles,
)
from opsmith.detect.window import mean_of, median_of, recent, variance_of
from opsmith.numerics.compiled import kernel

# Steady-state gains of local levels with signal-to-noise ratios of about 5, 0.1 and 0.003.
GAINS = (0.85, 0.27, 0.05)
# The error of a level is a running mean over about 50 points.
ERROR_RATE = 0.02
# With fewer residuals there is no interval.
FEWEST = 8.0
# Inputs of the trees, in order; see `inputs`.
INPUTS = 11


class Trees(NamedTuple):
    """Regression trees as flat arrays; node k of tree j is row roots[j] + k.

    feature: (n,) int32, the input to look at, -1 at a leaf; bound: (n,) go left at or below it;
    left, right: (n,) int32 rows; value: (n,) what a leaf adds; roots: (m,) int32.
    """

    feature: NDArray[np.int32]
    bound: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Floats
    roots: NDArray[np.int32]


def no_trees() -> Trees:
    """No trees at all: the local levels predict."""
    whole, real = np.zeros(0, np.int32), np.zeros(0)
    return Trees(feature=whole, bound=real, left=whole, right=whole, value=real, roots=whole)


@kernel
def tree_sum(trees: Trees, x: Floats) -> float:
    """The prediction of all trees for inputs x (INPUTS,), no input missing."""
    total = 0.0
    for root in trees.roots:
        node = root
        while trees.feature[node] >= 0:
            if x[trees.feature[node]] <= trees.bound[node]:
                node = trees.left[node]
            else:
                node = trees.right[node]
        total += trees.value[node]
    return total


@kernel
def inputs(scalars: Floats, ring: Floats, order: Bytes, x: Floats) -> None:
    """What the trees look at, in window deviations from the window mean.

    x: (INPUTS,), filled in: the last six values, the means of 12 and 24, median, minimum and
    maximum. Needs a full window.
    """
    seen = int(scalars[SEEN])
    mean = mean_of(scalars)
    scale = 1.0 / max(math.sqrt(variance_of(scalars)), 1e-12 + 1e-9 * abs(mean))
    for lag in range(6):
        x[lag] = (ring[(seen - 1 - lag) % WINDOW] - mean) * scale
    x[6] = (recent(ring, seen, 12)[0] - mean) * scale
    x[7] = (recent(ring, seen, 24)[0] - mean) * scale
    x[8] = (median_of(scalars, ring, order) - mean) * scale
    x[9] = (ring[order[0]] - mean) * scale
    x[10] = (ring[order[WINDOW - 1]] - mean) * scale


@kernel
def foresee(scalars: Floats, ring: Floats, order: Bytes, trees: Trees, x: Floats) -> None:
    """Write down the prediction of the next value: trees where given, else the best level."""
    if len(trees.roots) > 0 and scalars[SEEN] >= WINDOW:
        inputs(scalars, ring, order, x)
        mean = mean_of(scalars)
        scale = max(math.sqrt(variance_of(scalars)), 1e-12 + 1e-9 * abs(mean))
        scalars[PREDICTED] = mean + scale * tree_sum(trees, x)
        return
    best = 0
    for k in range(1, 3):
        if scalars[LEVEL_ERRORS + k] < scalars[LEVEL_ERRORS + best]:
            best = k
    scalars[PREDICTED] = scalars[LEVELS + best]


@kernel
def follow(scalars: Floats, value: float) -> None:
    """Let the three local levels see a value (their innovations, each with its steady gain).

    Source: Durbin & Koopman, "Time Series Analysis by State Space Methods" (2012), 2.11.
    """
    for k in range(3):
        if scalars[SEEN] == 0.0:
            scalars[LEVELS + k] = value
        innovation = value - scalars[LEVELS + k]
        scalars[LEVEL_ERRORS + k] += ERROR_RATE * (abs(innovation) - scalars[LEVEL_ERRORS + k])
        scalars[LEVELS + k] += GAINS[k] * innovation
    scalars[LAST] = value


@kernel
def residual_t(scalars: Floats, residual: float) -> float:
    """A residual in predictive standard errors of the last ones; 0 with fewer than 8.

    Under normal noise it is Student-t with count - 1 degrees of freedom.
    Source: the prediction interval of one more normal observation, Geisser (1993), 2.1.
    """
    count = scalars[RESIDUAL_COUNT]
    if count < FEWEST:
        return 0.0
    return float((residual - scalars[RESIDUAL_SUM] / count) / predictive_error(scalars))


@kernel
def predictive_error(scalars: Floats) -> float:
    """The standard error of the next residual, above 0."""
    count = scalars[RESIDUAL_COUNT]
    mean = scalars[RESIDUAL_SUM] / count
    spread = max(0.0, scalars[RESIDUAL_SQUARES] / count - mean * mean) * count / (count - 1.0)
    least = 1e-12 + 1e-9 * abs(scalars[PREDICTED])
    return float(math.sqrt(spread * (1.0 + 1.0 / count)) + least)


@kernel
def keep_residual(scalars: Floats, residuals: Singles, residual: float) -> None:
    """Put a residual among the last 64; the sums are made anew each time round."""
    count = int(min(scalars[RESIDUAL_COUNT], float(RESIDUALS)))
    slot = int(scalars[SEEN]) % RESIDUALS
    old = np.float64(residuals[slot]) if count == RESIDUALS else 0.0
    kept = max(-1e18, min(1e18, residual))
    residuals[slot] = kept
    kept = np.float64(residuals[slot])
    scalars[RESIDUAL_COUNT] = min(count + 1, RESIDUALS)
    scalars[RESIDUAL_SUM] += kept - old
    scalars[RESIDUAL_SQUARES] += kept * kept - old * old
    if slot == 0 and count == RESIDUALS:
        total, squares = 0.0, 0.0
        for i in range(RESIDUALS):
            total += np.float64(residuals[i])
            squares += np.float64(residuals[i]) * np.float64(residuals[i])
        scalars[RESIDUAL_SUM] = total
        scalars[RESIDUAL_SQUARES] = squares


@kernel
def t_quantile(z: float, freedom: float) -> float:
    """Student-t quantile from the normal one z, good to 0.2 % from 7 degrees of freedom on.

    Source: Abramowitz & Stegun (1964), 26.7.5.

    >>> round(t_quantile(2.5758, 63.0), 3)
    2.656
    """
    first = (z**3 + z) / 4.0
    second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
    return z + (first + (second + third / freedom) / freedom) / freedom
