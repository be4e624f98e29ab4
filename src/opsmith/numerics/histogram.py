"""Histograms of cumulative buckets, as Prometheus keeps them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def bucket_quantile(q: float, edges: Floats, cumulative: Floats) -> Floats:
    """The q-quantile of each interval, linear inside a bucket, as `histogram_quantile`.

    edges: (b,) upper bounds, rising, the last +Inf; cumulative: (b, n) observations up to each.
    Returns (n,) in the unit of the edges, NaN where nothing was observed; what lies above the
    last finite edge is that edge.
    Source: Prometheus documentation, `histogram_quantile`.

    >>> edges, cumulative = np.array([1.0, 2.0, np.inf]), np.array([[0.0], [4.0], [4.0]])
    >>> bucket_quantile(0.5, edges, cumulative).tolist()
    [1.5]
    """
    total = cumulative[-1]
    rank = q * total
    row = np.minimum((cumulative < rank).sum(axis=0), edges.size - 1)
    column = np.arange(total.size)
    above = np.minimum(row, edges.size - 2)
    upper = edges[above]
    lower = np.where(above > 0, edges[above - 1], np.minimum(0.0, upper))
    before = np.where(above > 0, cumulative[above - 1, column], 0.0)
    inside = cumulative[above, column] - before
    share = np.divide(rank - before, inside, out=np.ones_like(rank), where=inside > 0)
    values = np.where(row > above, upper, lower + (upper - lower) * np.clip(share, 0.0, 1.0))
    return np.where(total > 0, values, np.nan)
