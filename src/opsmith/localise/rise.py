"""Rise: how surely, and how newly, something happens in more traces than before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.traces import Mask, Traces, Vector

# A G that noise reaches now and then: the median of the largest that event pairs reach in
# fault-free development data is 9 (published constant; 5 and 20 lose an incident each).
NOISE_G = 10.0
# Fewer executed traces than this on either side say nothing (published constants).
LEAST_AFTER = 2.0
LEAST_BEFORE = 1.0
# Branch frequencies drift with the data (4/12 to 11/11 is workload, 0/20 to 19/20 a fault),
# so the share that is new counts by this power (published constant).
NOVELTY_POWER = 2.0


def compare(k0: Vector, n0: Vector, k1: Vector, n1: Vector) -> tuple[Vector, Vector]:
    """How surely, and how newly, the rate k1 of n1 exceeds k0 of n0: G, and the score.

    G is twice the log-likelihood ratio of two rates against one, 0 unless the rate rose; the
    score is G times the part of the rate that is new, to the power `NOVELTY_POWER`.
    Source: Dunning (1993) for G.

    >>> g, score = compare(*(np.array([x]) for x in (0.0, 20.0, 19.0, 20.0)))
    >>> float(g[0].round(1)), float(score[0].round(1))
    (45.6, 43.4)
    """
    p0 = (k0 + 0.5) / (n0 + 1.0)
    p1 = np.divide(k1, n1, out=np.zeros_like(n1), where=n1 > 0)
    rose = (p1 > p0) & (k1 * n0 > k0 * n1) & (n1 >= LEAST_AFTER) & (n0 >= LEAST_BEFORE)
    g = likelihood(k0, n0) + likelihood(k1, n1) - likelihood(k0 + k1, n0 + n1)
    g = np.where(rose, np.maximum(2.0 * g, 0.0), 0.0)
    fresh = 1.0 - np.divide(p0, p1, out=np.ones_like(p0), where=rose)
    return g, g * fresh**NOVELTY_POWER


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """The traces of one side. worth: (traces,) effective traces each stands for, 0 if outside."""

    worth: Vector

    @classmethod
    def of(cls, traces: Traces, inside: Mask) -> Side:
        """Weigh the traces inside by their sampling."""
        weight = np.where(inside, traces.weight, 0.0)
        squares = float(np.sum(weight**2))
        # Kish: (sum w)^2 / sum w^2 traces are as good as these; with equal weights, all.
        scale = float(np.sum(weight)) / squares if squares > 0 else 0.0
        return cls(worth=weight * scale)

    def count(
        self,
        group: NDArray[np.int64],
        trace: NDArray[np.int64],
        size: int,
        kept: Mask | None = None,
    ) -> Vector:
        """Effective traces of each group 0 to size - 1."""
        worth = self.worth[trace] if kept is None else np.where(kept, self.worth[trace], 0.0)
        return np.bincount(group, weights=worth, minlength=size).astype(np.float64)


def likelihood(k: Vector, n: Vector) -> Vector:
    """Largest log-likelihood of k hits in n trials; 0 where n is 0."""
    hit = np.divide(k, n, out=np.zeros_like(n), where=n > 0)
    missed = n - k
    return k * np.log(np.where(k > 0, hit, 1.0)) + missed * np.log(
        np.where(missed > 0, 1.0 - hit, 1.0), where=missed > 0, out=np.zeros_like(n)
    )
