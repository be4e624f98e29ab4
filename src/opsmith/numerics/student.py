"""Student's t for whole degrees of freedom, in closed form."""

from __future__ import annotations

import math
from statistics import NormalDist

# Halvings of an interval until its ends are neighbours among the numbers that are told apart.
_HALVINGS = 80


def t_quantile(level: float, freedom: int) -> float:
    """The value below which a share `level` of Student's t lies.

    level: above 0 and below 1; freedom: 1 or more degrees of freedom.

    >>> round(t_quantile(0.975, 7), 4)
    2.3646
    """
    if level < 0.5:  # noqa: PLR2004 - the median; it is symmetric
        return -t_quantile(1.0 - level, freedom)
    low, high = 0.0, max(1.0, NormalDist().inv_cdf(level))
    while t_share(high, freedom) < level:
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if t_share(middle, freedom) < level else (low, middle)
    return high


def t_share(t: float, freedom: int) -> float:
    """The share of Student's t that lies below `t`.

    Source: Abramowitz & Stegun (1964), 26.7.3 (odd degrees of freedom) and 26.7.4 (even).

    >>> t_share(1.0, 1)
    0.75
    """
    angle = math.atan2(t, math.sqrt(freedom))
    square = math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(1 + odd, freedom, 2):  # cos t, 2/3 cos^3 t, ...; or 1, 1/2 cos^2 t, ...
        total += term
        term *= square * k / (k + 1)
    inner = 2.0 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
    return 0.5 + 0.5 * inner
