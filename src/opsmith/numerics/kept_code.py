"""Kept code: the machine code of kernels on disk, by all that it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import CodeType

from numba.core.caching import FunctionCache


class KernelCache(FunctionCache):
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
        elif (source := getattr(found, "py_func", None)) is not None:
            _add(source, update, seen)
