"""Series made up for tests of forecasts."""

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.series import Aspect, MetricKind, Series, Unit

START_S = 1_700_006_400.0


def wave(n: int, *, day: int = 24, noise: float = 0.2, seed: int = 0) -> NDArray[np.float64]:
    """A daily wave around 10 with some noise."""
    t = np.arange(n)
    return (
        10 + 3 * np.sin(2 * np.pi * t / day) + noise * np.random.default_rng(seed).normal(size=n)
    )


def series(
    values: NDArray[np.float64],
    *,
    step_s: float = 3600.0,
    times_s: NDArray[np.float64] | None = None,
    unit: Unit = Unit.UNKNOWN,
    kind: MetricKind = MetricKind.GAUGE,
) -> Series:
    """A series of these values, an hour apart unless told otherwise."""
    times = START_S + step_s * np.arange(values.size) if times_s is None else times_s
    return Series(
        name="m",
        labels=(("job", "a<b>"),),
        entity=None,
        aspect=Aspect.OTHER,
        unit=unit,
        kind=kind,
        times_s=times.astype(np.float64),
        values=values.astype(np.float64),
    )
