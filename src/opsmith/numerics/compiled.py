"""Compiled kernels: the one module that knows the compiler (numba).

A kernel is a plain function over arrays and numbers, so its twin is its own source: `plain` gives
the uncompiled function back, and tests hold the compiled one to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call for the types it is called with.

    The machine code is kept beside the source (or in the user's cache where that cannot be
    written), so that only the first process ever pays the compile seconds. Kernels release the
    interpreter lock, call other kernels freely, and divide as numpy does: x / 0 is an infinity
    or NaN, where the plain twin on Python floats would raise `ZeroDivisionError`.
    Source: numba documentation, "Compiling Python code with @jit", options nogil, error_model.

    >>> @kernel
    ... def double(x: float) -> float:
    ...     return 2.0 * x
    >>> double(4.0), plain(double)(4.0)
    (8.0, 8.0)
    """
    try:
        compiled: Callable[P, R] = numba.njit(cache=True, nogil=True, error_model="numpy")(
            function
        )
    except RuntimeError:  # no file to keep it beside, or no folder that can be written
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


def plain(compiled: Callable[P, R]) -> Callable[P, R]:
    """The uncompiled twin of a kernel, line for line; a function that is no kernel as it is."""
    source: Callable[P, R] = getattr(compiled, "py_func", compiled)
    return source
