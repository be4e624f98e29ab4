"""Student's t in closed form, beside the library's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from opsmith.numerics.student import t_quantile, t_share


@given(st.floats(-50, 50), st.integers(1, 60))
def test_the_share_below_a_value_is_the_librarys(t: float, freedom: int) -> None:
    assert t_share(t, freedom) == pytest.approx(float(stdtr(freedom, t)), abs=1e-12)


@given(st.floats(0.001, 0.999), st.integers(1, 60))
def test_the_quantile_is_the_librarys(level: float, freedom: int) -> None:
    assert t_quantile(level, freedom) == pytest.approx(
        float(stdtrit(freedom, level)), rel=1e-7, abs=1e-9
    )
