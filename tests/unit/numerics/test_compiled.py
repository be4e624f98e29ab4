"""The compiler's wrapper: same answers, compiled or not."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from opsmith.numerics.compiled import kernel, plain
from opsmith.numerics.kept_code import fingerprint


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


INNER = "from opsmith.numerics.compiled import kernel\n@kernel\ndef inner(x):\n    return x + {}\n"
OUTER = """from {inner} import inner
from opsmith.numerics.compiled import kernel
@kernel
def outer(x):
    return inner(x)
"""


def test_an_edit_of_a_kernel_reaches_those_that_call_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "outer_kernel.py").write_text(OUTER.format(inner="inner_kernel"))
    found = []
    for added in (1, 20):
        (tmp_path / "inner_kernel.py").write_text(INNER.format(added))
        for name in ("inner_kernel", "outer_kernel"):
            sys.modules.pop(name, None)
        outer = getattr(__import__("outer_kernel"), "outer")  # noqa: B009 - it is no module we know
        found.append(outer(100))

    assert found == [101, 120]


def test_a_fingerprint_covers_called_kernels_and_named_constants() -> None:
    before = fingerprint(plain(calls_another))

    CONSTANTS["globals"]["FACTOR"] = 3.0
    after = fingerprint(plain(calls_another))
    CONSTANTS["globals"]["FACTOR"] = 2.0

    assert before != after
    assert fingerprint(plain(calls_another)) == before


FACTOR = 2.0
CONSTANTS = {"globals": globals()}


@kernel
def scaled(x: float) -> float:
    return FACTOR * x


@kernel
def calls_another(x: float) -> float:
    return scaled(x) + 1.0
