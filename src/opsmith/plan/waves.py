"""Waves: a plan over many targets, or many weights of one, begun with one and widened."""

from __future__ import annotations


def widening(steps: int) -> tuple[int, ...]:
    """One step, then two, four and so on: what is wrong is seen while little is touched.

    Each wave is as large as all before it and one more, so that a regression that shows only
    when half is done is still undone with half.

    >>> widening(10)
    (1, 2, 4, 3)
    """
    sizes: list[int] = []
    while steps > 0:
        size = min(2 ** len(sizes), steps)
        sizes.append(size)
        steps -= size
    return tuple(sizes)
