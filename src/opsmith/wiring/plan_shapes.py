"""Plans as JSON, for the faces."""

from __future__ import annotations

from contextlib import suppress

from opsmith.answer.plan_shapes import judgement_shape as judgement_shape  # noqa: PLC0414
from opsmith.answer.plan_shapes import outcome_shape as outcome_shape  # noqa: PLC0414
from opsmith.answer.plan_shapes import plan_shape as plan_shape  # noqa: PLC0414
from opsmith.answer.plan_shapes import step_shape
from opsmith.answer.words import Speech, words
from opsmith.errors import NotFound
from opsmith.execute.registry import Registry
from opsmith.nouns.answer import Language
from opsmith.nouns.plan import Act, Dossier, Mark


def read_shape(
    dossier: Dossier, actions: Registry, acts: tuple[Act, ...] = ()
) -> dict[str, object]:
    """A plan for who is to decide on it: also whom it touches, its undo and how it is verified."""
    steps = [
        {
            **step_shape(step),
            "undo": _undo(step.order.action, actions),
            "verify": _verify(step.order.action),
        }
        for step in dossier.plan.steps
    ]
    touched = [str(one) for one in dossier.plan.targets]
    return {**plan_shape(dossier, acts), "steps": steps, "touches": touched}


def mark_shape(mark: Mark) -> dict[str, object]:
    """A record of a plan's trail."""
    return {
        "seq": mark.seq,
        "digest": mark.digest,
        "at": mark.at.isoformat(),
        "by": mark.by,
        "step": mark.step,
        "state": mark.state,
        "says": mark.says,
    }


def _undo(action: str, actions: Registry) -> str:
    with suppress(NotFound):  # an action of a package that is gone
        return actions.get(action).spec.undo
    return ""


def _verify(action: str) -> dict[str, str]:
    how = action if action in words()["verify"] else "own"
    return {
        str(tongue): Speech(language=tongue, zone="UTC").phrase("verify", how)
        for tongue in Language
    }
