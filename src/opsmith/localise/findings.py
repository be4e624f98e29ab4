"""Findings: what one channel of evidence says of every candidate, without names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """One channel's word on the candidates.

    strength: how ill each entity looks, at least 0, in units of the channel's own
        fault-free noise (1 = as large as noise gets now and then); absent means 0.
    evidence: the checked facts behind it, strongest first.
    features: further columns for the ranker, by a name that names no entity,
        each a number an entity (absent means 0).
    """

    channel: Channel
    strength: Mapping[Entity, float]
    evidence: Mapping[Entity, tuple[Evidence, ...]]
    features: Mapping[str, Mapping[Entity, float]] = field(default_factory=dict)
