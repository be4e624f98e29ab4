"""Confidence: from scores to calibrated probabilities, and when to say that it cannot be said.

Scores are log odds up to a constant, so their softmax is a probability; a temperature fitted on
held-out incidents makes it keep its word (Guo et al. 2017, On Calibration of Modern Neural
Networks, section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput

# Below this the top candidate is likelier wrong than right in a way that no one should act on.
LEAST_CONFIDENCE = 0.25
# Two candidates closer than this in probability cannot be told apart.
NOISE = 0.02
# No strength above 1: nothing is louder than fault-free noise gets now and then.
LEAST_STRENGTH = 1.0

Floats = NDArray[np.float64]


def probabilities(scores: Floats, *, temperature: float) -> Floats:
    """Chance of each candidate to be the cause, (n,), summing to 1; all equal without evidence.

    scores: (n,) log odds; temperature: above 0, larger is less sure.
    """
    if temperature <= 0:
        raise BadInput(f"A temperature is above 0, not {temperature}.")
    if not len(scores):
        return np.zeros(0)
    grown = np.exp((scores - scores.max()) / temperature)
    return np.asarray(grown / grown.sum())


def doubts(chances: Floats, strengths: Sequence[float]) -> tuple[str, ...]:
    """Why an answer is inconclusive; empty when it may be acted on.

    chances: (n,) of `probabilities`, likeliest first; strengths: the strongest evidence of each.
    """
    reasons = []
    if not len(chances):
        return ("nobody is there to be blamed: no candidate was recorded",)
    if max(strengths, default=0.0) < LEAST_STRENGTH:
        reasons.append("no evidence stands out from fault-free noise")
    if chances[0] < LEAST_CONFIDENCE:
        reasons.append(f"the likeliest candidate has a chance of {100 * chances[0]:.0f} % only")
    if len(chances) > 1 and chances[0] - chances[1] < NOISE:
        reasons.append("the two likeliest candidates are within noise of each other")
    return tuple(reasons)


def expected_calibration_error(chances: Floats, right: NDArray[np.bool_], *, bins: int) -> float:
    """Mean distance of promised chance and share that was right, over equal-mass bins, 0 to 1.

    chances: (n,) promised to the top candidate; right: (n,) whether it was the cause.
    Source: Naeini et al. (2015), section 2, with the equal-mass bins of Nixon et al. (2019).
    """
    if not len(chances):
        return float("nan")
    order = np.argsort(chances, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [len(p) * abs(float(chances[p].mean()) - float(right[p].mean())) for p in parts]
    return float(sum(gaps)) / len(chances)


def fit_temperature(held_out: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> float:
    """The temperature that makes held-out causes likeliest, 0.1 to 10.

    held_out: (scores, whether each is a cause) an incident; ones without a cause are left out.
    """
    grid = np.geomspace(0.1, 10.0, 81)
    usable = [(scores, causes) for scores, causes in held_out if causes.any()]
    if not usable:
        return 1.0
    losses = [
        -sum(
            float(np.log(max(probabilities(scores, temperature=t)[causes].sum(), 1e-12)))
            for scores, causes in usable
        )
        for t in grid
    ]
    return float(grid[int(np.argmin(losses))])
