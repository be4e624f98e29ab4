"""The compiler's wrapper: same answers, compiled or not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from opsmith.numerics.compiled import kernel, plain


@kernel
def running_sum(x: NDArray[np.float64]) -> NDArray[np.float64]:
    total = 0.0
    out = np.empty_like(x)
    for i in range(x.size):
        total += x[i]
        out[i] = total
    return out


@given(st.lists(st.floats(-1e6, 1e6), max_size=20))
def test_a_kernel_and_its_plain_twin_agree(values: list[float]) -> None:
    x = np.array(values, dtype=np.float64)

    assert running_sum(x).tolist() == plain(running_sum)(x).tolist()


def test_the_plain_twin_of_a_plain_function_is_itself() -> None:
    assert plain(len) is len


def test_a_kernel_without_a_source_file_compiles_too() -> None:
    space: dict[str, object] = {"kernel": kernel}
    exec("@kernel\ndef twice(x):\n    return 2 * x", space)  # noqa: S102 - a function as typed at a prompt
    twice = space["twice"]

    assert callable(twice)
    assert twice(21) == 42
