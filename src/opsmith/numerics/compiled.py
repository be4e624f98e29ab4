"""Compiled kernels: the one module that knows the compiler (numba).

A kernel is a plain function over arrays and numbers, so its twin is its own source: `plain` gives
the uncompiled function back, and tests hold the compiled one to it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from types import CodeType
from typing import ParamSpec, TypeVar

import numba
from numba.core.caching import FunctionCache

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
    compiled = numba.njit(nogil=True, error_model="numpy")(function)
    # no file to keep it beside, or no folder that can be written: RuntimeError
    with contextlib.suppress(RuntimeError):
        # as its own `enable_caching` does
        setattr(compiled, "_cache", _KernelCache(function))  # type: ignore[no-untyped-call]  # noqa: B010
    kept: Callable[P, R] = compiled
    return kept


class _KernelCache(FunctionCache):
    """Machine code kept by what it was made from.

    The compiler's own cache looks at the file of the outermost kernel alone; an edit of a kernel
    that it calls, or of a constant in another module, would go on running the old code.
    """

    def _index_key(self, sig: object, codegen: object) -> tuple[object, ...]:
        key: tuple[object, ...] = super()._index_key(sig, codegen)  # type: ignore[no-untyped-call]
        return (*key, fingerprint(self._py_func))


def fingerprint(function: Callable[..., object]) -> str:
    """A digest of a kernel, of all kernels it calls and of the constants they name."""
    digest = hashlib.sha256()
    seen: set[object] = set()
    _add(function, digest.update, seen)
    return digest.hexdigest()


def _add(
    function: Callable[..., object], update: Callable[[bytes], None], seen: set[object]
) -> None:
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None or function in seen:
        return
    seen.add(function)
    fixed = [one for one in code.co_consts if not isinstance(one, CodeType)]
    update(code.co_code + repr((fixed, code.co_names)).encode())
    space: dict[str, object] = getattr(function, "__globals__", {})
    for name in sorted(code.co_names):
        found = space.get(name)
        if isinstance(found, bool | int | float | str | tuple):
            update(repr((name, found)).encode())
        elif hasattr(found, "py_func"):
            _add(plain(found), update, seen)  # type: ignore[arg-type]  # a kernel is callable


def plain(compiled: Callable[P, R]) -> Callable[P, R]:
    """The uncompiled twin of a kernel, line for line; a function that is no kernel as it is."""
    source: Callable[P, R] = getattr(compiled, "py_func", compiled)
    return source
