"""Student's t in closed form, beside the library's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from opsmith.numerics.student import t_quantile, t_share


@given(st.floats(-50, 50), st.integers(1, 60))
def test_the_share_below_a_value_is_the_librarys(t: float, freedom: int) -> None:
    # The library gives just a half for the smallest t: at 7.6e-9 it is off by 2.3e-9, t over pi.
    near = 1e-8 if abs(t) < 1e-6 else 1e-10

    assert t_share(t, freedom) == pytest.approx(float(stdtr(freedom, t)), abs=near)


@given(st.floats(0.001, 0.999), st.integers(1, 60))
def test_the_quantile_is_the_librarys(level: float, freedom: int) -> None:
    assert t_quantile(level, freedom) == pytest.approx(
        float(stdtrit(freedom, level)), rel=1e-7, abs=1e-9
    )
