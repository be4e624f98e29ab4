"""WeightsCard: what there is to know about the weights that rank causes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsCard:
    """The weights in short.

    origin: where they come from, in a sentence; incidents: past ones behind the base rates;
    cases: solved incidents kept to compare with; channels: weights other than 1, by channel;
    trees, columns: size of the forests; temperature: what scores are divided by.
    used, unused: names of incidents learned from and left out; empty unless just fitted.
    """

    origin: str
    incidents: int
    cases: int
    channels: Mapping[str, float]
    trees: int
    columns: int
    temperature: float
    used: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
