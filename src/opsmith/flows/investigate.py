"""investigate: a recorded incident in, its report out."""

from __future__ import annotations

from pathlib import Path

from opsmith.explain.report import explain
from opsmith.ingest import bundle
from opsmith.localise.diagnose import localise
from opsmith.nouns.diagnosis import PathWeights
from opsmith.nouns.report import Report


def investigate(folder: Path, *, top: int, path_weights: PathWeights) -> Report:
    """Read the bundle in `folder`, find its cause, and tell it with the `top` likeliest.

    Raises `BadInput` when the folder holds no usable bundle.
    """
    recording = bundle.read(folder)
    return explain(localise(recording, path_weights=path_weights), recording, top=top)
