"""Ruled out: who looked ill and is not the cause, and why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opsmith.localise.graph import CallGraph
from opsmith.localise.symptoms import ILL, Symptom, Symptoms
from opsmith.nouns.diagnosis import Cause, Path, RuledOut
from opsmith.nouns.entity import Entity

# More than so many are not read.
MOST = 6
# A callee that changed by this share of the caller's change explains it.
EXPLAINS = 0.5


def rule_out(
    graph: CallGraph, symptoms: Symptoms, causes: Sequence[Cause], path: Path | None
) -> Iterator[RuledOut]:
    """The most ill-looking entities that are not the likeliest cause, with the reason."""
    if not causes or path is None:
        return
    score = {one.entity: one.score for one in causes}
    first = causes[0]
    ill = [one for one, symptom in symptoms.items() if symptom.change >= ILL]
    ill.sort(key=lambda one: (-symptoms[one].change, one))
    for entity in [one for one in ill if one != first.entity][:MOST]:
        yield RuledOut(
            entity=entity,
            why=reason(graph, symptoms, entity, path)
            or f"its evidence is weaker: {score.get(entity, 0.0):.1f} against {first.score:.1f}",
        )


def reason(graph: CallGraph, symptoms: Symptoms, entity: Entity, path: Path) -> str:
    """Why this entity's change is another's doing; empty when nothing says so."""
    change = symptoms[entity].change
    callees = graph.seen_callees(entity, lambda one: one in symptoms)
    worst = max(callees, key=lambda one: (symptoms[one].change, one), default=None)
    if worst is not None and symptoms.get(worst, Symptom()).change >= EXPLAINS * change:
        return f"its change is explained by its callee {worst}, which changed too"
    if entity in path.entities:
        return f"it lies on the path from {path.entities[0]} and suffers from it"
    return ""
