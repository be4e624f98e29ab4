"""Compiled kernels: the one module that knows the compiler (numba).

A kernel is a plain function over arrays and numbers, so its twin is its own source: `plain` gives
the uncompiled function back, and tests hold the compiled one to it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call for the types it is called with.

    The machine code is kept beside the source (or in the user's cache where that cannot be
    written), so that only the first process ever pays the compile seconds. Kernels release the
    interpreter lock, call other kernels freely, and divide as numpy does: x / 0 is an infinity
    or NaN, where the plain twin on Python floats would raise `ZeroDivisionError`.
    The compiler itself, 60 MB, is loaded by the first call and by nothing before it.
    Source: numba documentation, "Compiling Python code with @jit", options nogil, error_model.

    >>> @kernel
    ... def double(x: float) -> float:
    ...     return 2.0 * x
    >>> double(4.0), plain(double)(4.0)
    (8.0, 8.0)
    """
    return _Kernel(function)


class _Kernel(Generic[P, R]):
    """A function that is compiled when it is called first. py_func: the function itself."""

    def __init__(self, function: Callable[P, R]) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self._compiled: Callable[P, R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return (self._compiled or self.compiled())(*args, **kwargs)

    def compiled(self) -> Callable[P, R]:
        """What the compiler makes of it, and of the kernels that it calls."""
        if self._compiled is None:
            beneath = {name: found.compiled() for name, found in _called(self.py_func)}
            self._compiled = _dispatched(self.py_func, beneath)
        return self._compiled


def _called(function: Callable[..., object]) -> list[tuple[str, _Kernel[..., object]]]:
    """The kernels that a function names, by the names it gives them."""
    space: dict[str, object] = getattr(function, "__globals__", {})
    code: CodeType | None = getattr(function, "__code__", None)
    found = ((name, space.get(name)) for name in (code.co_names if code else ()))
    return [(name, one) for name, one in found if isinstance(one, _Kernel)]


def _dispatched(
    function: Callable[P, R], beneath: dict[str, Callable[..., object]]
) -> Callable[P, R]:
    """The compiler's own object for a function; beneath: those for the kernels that it calls."""
    import numba  # noqa: PLC0415 - 0.3 s and 60 MB that many commands never need

    from opsmith.numerics.kept_code import KernelCache  # noqa: PLC0415 - as above

    twin: Callable[P, R] = function
    if beneath and isinstance(function, FunctionType):
        space = {**function.__globals__, **beneath}
        twin = FunctionType(function.__code__, space, function.__name__, function.__defaults__)
        functools.update_wrapper(twin, function)
    made = numba.njit(nogil=True, error_model="numpy")(twin)
    # no file to keep it beside, or no folder that can be written: RuntimeError
    with contextlib.suppress(RuntimeError):
        # as its own `enable_caching` does
        setattr(made, "_cache", KernelCache(function))  # type: ignore[no-untyped-call]  # noqa: B010
    kept: Callable[P, R] = made
    return kept


def plain(compiled: Callable[P, R]) -> Callable[P, R]:
    """The uncompiled twin of a kernel, line for line; a function that is no kernel as it is."""
    source: Callable[P, R] = getattr(compiled, "py_func", compiled)
    return source
