"""refit: solved incidents in, weights of one's own out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opsmith.errors import BadInput
from opsmith.ingest import bundle
from opsmith.localise.diagnose import localise
from opsmith.localise.fitted import Fitted
from opsmith.localise.fitting import Solved, refit
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording

# The same solved incidents give the same weights.
SEED = 2026
# Parts that take turns in being unseen.
FOLDS = 5
# Scores nearer than this are equal: half a place of one incident in fifty.
TIE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refitted:
    """The new weights, and what they were learned from.

    unused: folders that the truth file does not name, and causes without a folder.
    """

    fitted: Fitted
    used: tuple[str, ...]
    unused: tuple[str, ...]


def refit_from(folder: Path, truth: Path, shipped: Fitted) -> Refitted:
    """Learn from the bundles in `folder` that the lines of `truth` name.

    Raises `BadInput` when a line is broken, no bundle is named, or no cause is a candidate.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder.", hint="Name the folder that holds bundles.")
    causes = read_truth(truth)
    # Names are compared, never joined to a path: the truth file is a stranger's text.
    bundles = {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()}
    used = tuple(name for name in bundles if name in causes)
    if not used:
        raise BadInput(f"{truth}: names no bundle of {folder}.")
    history: list[Solved] = [(bundle.read(bundles[name]), causes[name]) for name in used]
    return Refitted(
        fitted=refit(history, shipped.ranker, seed=SEED),
        used=used,
        unused=tuple(sorted({*bundles, *causes} - set(used))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One incident that people spoke about. bundle: its folder.

    causes: who was to blame, empty where only a wrong answer is known; wrong: who was not.
    """

    name: str
    bundle: Path
    causes: frozenset[Entity]
    wrong: frozenset[Entity] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relearned:
    """What came of learning anew. fitted: None when the old weights stay; why: in words."""

    fitted: Fitted | None
    why: str
    lessons: int


def relearn(lessons: Sequence[Lesson], *, shipped: Fitted, current: Fitted) -> Relearned:
    """Learn from what people said, and refuse what ranks worse than what there is.

    Two trials: weights learned without an incident (in turn) must rank its cause as well as the
    shipped ones do; learned from all, they must rank all as well as the current ones.
    A lesson counts the reciprocal rank of its cause; one that was only wrong counts 1 unless
    what was wrong comes first again. Source: Voorhees (1999), The TREC-8 question answering
    track report, section 2 (mean reciprocal rank).
    Raises `BadInput` when there is nothing to learn from.
    """
    told = [(lesson, bundle.read(lesson.bundle)) for lesson in lessons]
    taught = [pair for pair in told if pair[0].causes]
    if not taught:
        raise BadInput("No incident is confirmed yet, so there is nothing to learn from.")
    fresh = _learned(taught, shipped)
    if (new := _score(told, fresh)) < (old := _score(told, current)) - TIE:
        why = f"it would rank worse than the weights in use ({new:.2f} against {old:.2f})"
        return Relearned(fitted=None, why=why, lessons=len(told))
    if len(taught) > 1:
        unseen, plain = _unseen(taught, shipped), _score(taught, shipped)
        if unseen < plain - TIE:
            why = f"on incidents it has not seen it ranks worse ({unseen:.2f} against {plain:.2f})"
            return Relearned(fitted=None, why=why, lessons=len(told))
    why = f"learned from {len(taught)} confirmed incidents ({new:.2f}, before {old:.2f})"
    return Relearned(fitted=fresh, why=why, lessons=len(told))


_Told = tuple[Lesson, Recording]


def _learned(taught: Sequence[_Told], shipped: Fitted) -> Fitted:
    history: list[Solved] = [(recording, lesson.causes) for lesson, recording in taught]
    return refit(history, shipped.ranker, seed=SEED)


def _unseen(taught: Sequence[_Told], shipped: Fitted) -> float:
    """The mean score of each part, ranked by weights that were learned from the others."""
    folds = min(FOLDS, len(taught))
    total = 0.0
    for fold in range(folds):
        others = [pair for number, pair in enumerate(taught) if number % folds != fold]
        part = taught[fold::folds]
        try:
            weights = _learned(others, shipped)
        except BadInput:  # the others name no candidate: then nothing was learned
            weights = shipped
        total += _score(part, weights) * len(part)
    return total / len(taught)


def _score(told: Sequence[_Told], weights: Fitted) -> float:
    return sum(_mark(lesson, recording, weights) for lesson, recording in told) / len(told)


def _mark(lesson: Lesson, recording: Recording, weights: Fitted) -> float:
    found = localise(recording, ranker=weights.ranker, base_rates=weights.base_rates)
    order = [cause.entity for cause in found.causes]
    if not lesson.causes:
        return float(not order or order[0] not in lesson.wrong)
    return max((1.0 / (order.index(one) + 1) for one in lesson.causes if one in order), default=0)


def read_truth(path: Path) -> Mapping[str, frozenset[Entity]]:
    """The causes by incident: one JSON object a line, `incident` and `entity` (TYPE:NAME).

    Several lines of one incident name several causes; `kind` and other keys are not needed.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file.", hint="Name a file of JSON lines.")
    causes: dict[str, frozenset[Entity]] = {}
    for number, incident, entity in _lines(path):
        try:
            cause = Entity.parse(entity)
        except BadInput as error:
            raise BadInput(f"{path}:{number}: {error}") from error
        causes[incident] = causes.get(incident, frozenset()) | {cause}
    return causes


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}.") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield number, str(row["incident"]), str(row["entity"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"{path}:{number}: not an object with `incident` and `entity`."
            ) from error
