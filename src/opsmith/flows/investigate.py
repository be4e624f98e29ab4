"""investigate: a recorded incident in, its diagnosis and report out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from opsmith.explain.report import explain
from opsmith.explain.verdict import verdict
from opsmith.ingest import bundle
from opsmith.localise.diagnose import localise
from opsmith.localise.fitted import Fitted
from opsmith.localise.graph_nodes import Told
from opsmith.localise.incident_graph import incident_graph
from opsmith.localise.scene import Scene, read_scene
from opsmith.nouns.diagnosis import Diagnosis, PathWeights
from opsmith.nouns.graph import Subgraph
from opsmith.nouns.recording import Recording
from opsmith.nouns.report import Report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Investigation:
    """What came of it. scene: what was measured; sentence: the verdict as the report says it.

    seen_before: what the report tells of earlier incidents like this one.
    """

    recording: Recording
    scene: Scene
    diagnosis: Diagnosis
    report: Report
    sentence: str
    seen_before: tuple[str, ...]


UNFITTED = Fitted()
NO_TIME = datetime.fromtimestamp(0, UTC)


def _never(diagnosis: Diagnosis) -> tuple[str, ...]:
    del diagnosis
    return ()


def investigate(
    folder: Path,
    *,
    top: int,
    path_weights: PathWeights,
    fitted: Fitted = UNFITTED,
    seen_before: Callable[[Diagnosis], tuple[str, ...]] = _never,
) -> Investigation:
    """Read the bundle in `folder`, find its cause, and tell it with the `top` likeliest.

    seen_before: says which confirmed incidents are like one, a sentence each.
    Raises `BadInput` when the folder holds no usable bundle.
    """
    recording = bundle.read(folder)
    scene = read_scene(recording)
    diagnosis = localise(
        recording,
        scene=scene,
        ranker=fitted.ranker,
        base_rates=fitted.base_rates,
        path_weights=path_weights,
    )
    before = seen_before(diagnosis)
    return Investigation(
        recording=recording,
        scene=scene,
        diagnosis=diagnosis,
        report=explain(
            diagnosis,
            recording,
            top=top,
            seen_before=before,
            graph=partial(_graph, scene, diagnosis),
        ),
        sentence=verdict(diagnosis),
        seen_before=before,
    )


def _graph(scene: Scene, diagnosis: Diagnosis) -> Subgraph:
    """The signals and their weighed links, as the graph would keep them."""
    told = Told(
        name=diagnosis.incident,
        title="",
        state="",
        sentence="",
        seen=NO_TIME,  # a report tells when things happened, not when they were looked at
    )
    return incident_graph(scene, diagnosis, told)
