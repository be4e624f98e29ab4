"""Weights of the measuring channels, learned from solved incidents without forgetting doubt.

A conditional logit over the candidates of each incident: the chance of a candidate is the softmax
of Σ weight · log(1 + strength²).  Each weight has a Gaussian prior around 1, so that few incidents
move it little.  The loss is convex; Newton's method finds its one minimum.
Source: McFadden (1974), Conditional logit analysis of qualitative choice behavior.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# The prior counts as much as this many units of curvature: about ten clear incidents.
PRIOR = 10.0
STEPS = 25


def fit_weights(incidents: Sequence[tuple[Floats, NDArray[np.bool_]]], channels: int) -> Floats:
    """The likeliest weights, (channels,), at least 0: evidence never speaks for innocence.

    incidents: (candidates, channels) of log(1 + strength²), and whether each is a cause; an
    incident whose causes are all or none of the candidates teaches nothing.
    """
    weights = np.ones(channels)
    for _ in range(STEPS):
        slope = PRIOR * (weights - 1.0)
        curvature = PRIOR * np.eye(channels)
        for evidence, causes in incidents:
            if causes.any():
                chance = _softmax(evidence @ weights)
                mean = chance @ evidence
                slope -= evidence[causes].mean(axis=0) - mean
                centred = evidence - mean
                curvature += centred.T @ (chance[:, None] * centred)
        step = np.linalg.solve(curvature, slope)
        weights = np.maximum(weights - np.clip(step, -0.5, 0.5), 0.0)
    return weights


def _softmax(scores: Floats) -> Floats:
    grown = np.exp(scores - scores.max())
    return np.asarray(grown / grown.sum())
