"""Diagnose: from a recording to ranked causes, the path and what was ruled out."""

from __future__ import annotations

import numpy as np

from opsmith.localise.findings import Findings
from opsmith.localise.gaps import gaps
from opsmith.localise.novelty import new_pairs
from opsmith.localise.resource import resources
from opsmith.localise.scene import Scene, read_scene
from opsmith.localise.self_share import self_share
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording

CHANNELS = (resources, self_share, gaps, new_pairs)


def measure(scene):
    return tuple(channel(scene) for channel in CHANNELS)


def fused(findings):
    total: dict[Entity, float] = {}
    for one in findings:
        for entity, strength in one.strength.items():
            total[entity] = total.get(entity, 0.0) + float(np.log1p(strength**2))
    return total
