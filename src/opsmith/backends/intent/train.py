"""Training an adapter from labelled sentences: a held-out part decides what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.backends.intent.adapter import Adapter
from opsmith.backends.intent.encoder import ENCODER_ID, encode
from opsmith.errors import BadInput
from opsmith.numerics.lowrank import (
    LowRank,
    abstention_threshold,
    best_temperature,
    fit,
    fit_head,
    logits,
    probabilities,
)

RANK = 8
# One in five, as in the usual five-fold split.
HELD_OUT = 5
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Lesson:
    """A sentence with the intent it asks for."""

    text: str
    intent: str


def train(
    lessons: Sequence[Lesson], *, precision: float, notes: str, rng: np.random.Generator
) -> Adapter:
    """Fit an adapter of rank 8 and its head on `lessons`.

    A fifth of the lessons is held out first, by label: it chooses between the adapter and the
    frozen vectors, sets the temperature, and sets the threshold below which the model abstains so
    that what it answers is right with `precision`. Then everything is fitted again on all of them.
    Raises `BadInput` when a label has fewer than two sentences or there is only one label.
    """
    labels = _labels(lessons)
    x = encode([lesson.text for lesson in lessons])
    y = np.array([labels.index(lesson.intent) for lesson in lessons])
    held = _held_out(y, rng)
    tried = {
        "frozen": fit_head(x[~held], y[~held], classes=len(labels), rank=RANK, rng=rng),
        "adapter": fit(x[~held], y[~held], classes=len(labels), rank=RANK, rng=rng),
    }
    right = {name: _accuracy(x[held], y[held], one) for name, one in tried.items()}
    kept = max(right, key=lambda name: (right[name], name == "frozen"))
    temperature = best_temperature(logits(x[held], tried[kept]), y[held])
    sure = probabilities(x[held], replace(tried[kept], temperature=temperature))
    threshold = abstention_threshold(
        sure.max(axis=1), sure.argmax(axis=1) == y[held], precision=precision
    )
    method = fit if kept == "adapter" else fit_head
    whole = method(x, y, classes=len(labels), rank=RANK, rng=rng)
    return Adapter(
        encoder=ENCODER_ID,
        labels=labels,
        fitted=replace(whole, temperature=temperature),
        threshold=threshold,
        scores={
            "held_out_accuracy": right[kept],
            "held_out_frozen": right["frozen"],
            "held_out_adapter": right["adapter"],
            "held_out_answered": float((sure.max(axis=1) >= threshold).mean()),
            "sentences": float(len(lessons)),
        },
        notes=notes,
    )


def _labels(lessons: Sequence[Lesson]) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for lesson in lessons:
        counts[lesson.intent] = counts.get(lesson.intent, 0) + 1
    if len(counts) < _FEWEST:
        raise BadInput("There must be sentences of two or more intents to tell apart.")
    rare = sorted(name for name, count in counts.items() if count < _FEWEST)
    if rare:
        raise BadInput(f"Only one sentence asks for {', '.join(rare[:5])}; give two or more.")
    return tuple(sorted(counts))


def _held_out(y: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A fifth of each label, at least one where a label has two or more."""
    held = np.zeros(len(y), dtype=np.bool_)
    for label in np.unique(y):
        places = rng.permutation(np.flatnonzero(y == label))
        held[places[: max(1, len(places) // HELD_OUT)]] = True
    return held


def _accuracy(x: NDArray[np.float64], y: NDArray[np.intp], fitted: LowRank) -> float:
    return float((logits(x, fitted).argmax(axis=1) == y).mean())
