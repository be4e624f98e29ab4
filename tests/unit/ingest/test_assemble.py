"""Assembly: what samples are, told from how they behave."""

import numpy as np
import pytest

from opsmith.ingest.assemble import rises
from opsmith.ingest.samples import RawSeries


def raw(values: np.ndarray) -> RawSeries:
    times_s = np.arange(len(values)) * 5.0
    return RawSeries(name="x", labels=(), declared="", times_s=times_s, values=values)


@pytest.mark.parametrize("length", [12, 20, 200])
def test_a_counter_of_a_process_that_began_anew_once_is_still_one(length: int) -> None:
    counted = np.arange(length, dtype=np.float64)
    counted[length // 2 :] -= counted[length // 2]

    assert rises(raw(counted))


def test_what_falls_every_other_time_is_no_counter() -> None:
    assert not rises(raw(np.random.default_rng(1).normal(size=30)))
