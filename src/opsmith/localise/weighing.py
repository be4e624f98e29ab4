"""Weighing: how strengths in units of noise argue beside each other."""

from __future__ import annotations

import numpy as np


def weight_of(strength: float) -> float:
    """log(1 + s²): nothing below noise, then the logarithm."""
    return float(np.log1p(strength**2))
