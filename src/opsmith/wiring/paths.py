"""Paths in files of the operator's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError("must be an absolute path without `..`")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
