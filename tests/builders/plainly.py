"""Run the detector's kernels uncompiled, so that their twins are what is tested."""

import pytest

from opsmith.detect import days, predict, step, surprise, views, window
from opsmith.numerics.compiled import plain

MODULES = (window, surprise, views, days, predict, step)


def run_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the plain twin in the place of every kernel, in every module that calls it."""
    for module in MODULES:
        for name, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, name, plain(value))
