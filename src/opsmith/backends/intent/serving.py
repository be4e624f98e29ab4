"""Serving opinions while adapters are swapped: one immutable object, replaced in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.backends.intent.adapter import Adapter, load
from opsmith.backends.intent.encoder import ENCODER_ID, WIDTH, encode, recalled
from opsmith.backends.intent.shelf import SHIPPED, Shelf
from opsmith.backends.intent.train import Lesson
from opsmith.errors import BadInput, HouseError, NotFound
from opsmith.numerics.lowrank import probabilities
from opsmith.seams.intent import Opinion

_RANKED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What one look at the shelf led to.

    served: name of the adapter served from now on. version: of its weights.
    refused: why another one that was to be served is not, empty when it is.
    """

    served: str
    version: str
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Serving:
    name: str
    adapter: Adapter
    canary: float


class ServedIntents:
    """Keeps the promises of `seams.intent.Intents` with whatever the shelf says is in use.

    canary: sentences a new adapter is tried on before it serves; none for no trial.
    """

    def __init__(self, shelf: Shelf, canary: Sequence[Lesson]) -> None:
        self._shelf = shelf
        self._canary = tuple(canary)
        self._tried: NDArray[np.float64] | None = None
        self._seen: tuple[str, bytes] | None = None
        self._serving: _Serving | None = None

    def opinions(self, texts: Sequence[str]) -> tuple[Opinion, ...]:
        """Read the serving object once, so that a swap in between changes nothing."""
        serving = self._serving or self._start()
        if not texts:
            return ()
        chances = probabilities(recalled(texts), serving.adapter.fitted)
        return tuple(_opinion(row, serving.adapter) for row in chances)

    def fault_of(self, name: str) -> str:
        """Why an adapter would not be served if it were put into use now; empty when it would."""
        serving = self._serving or self._start()
        try:
            return _worse(self._candidate(name), serving)
        except BadInput as error:
            return str(error)

    def refresh(self) -> Swap | None:
        """Look at the shelf; swap when something else is to be served. None when nothing is new.

        Loading and trying happen in the calling thread, beside whatever is being served.
        """
        signature = self._shelf.signature()
        if signature == self._seen:
            return None
        serving = self._serving or self._start()
        self._seen = signature
        try:
            candidate = self._candidate(signature[0])
        except (BadInput, NotFound) as error:
            return _swap(serving, refused=f"{signature[0]}: {error}")
        if candidate.adapter.version == serving.adapter.version:
            return None
        worse = _worse(candidate, serving)
        if worse and not self._shelf.went_back():
            return _swap(serving, refused=f"{signature[0]}: {worse}")
        self._serving = candidate
        return _swap(candidate)

    def _start(self) -> _Serving:
        """The adapter in use, or the shipped one when that cannot serve."""
        for name in dict.fromkeys((self._shelf.active(), SHIPPED)):
            try:
                self._serving = self._candidate(name)
            except (BadInput, NotFound):
                continue
            return self._serving
        raise HouseError("No adapter can serve, not even the shipped one; install opsmith again.")

    def _candidate(self, name: str) -> _Serving:
        adapter = load(self._shelf.folder(name))
        width = adapter.fitted.centre.shape[0]
        if adapter.encoder != ENCODER_ID or width != WIDTH:
            raise BadInput(
                f"It is for {adapter.encoder} of width {width}; served is {ENCODER_ID}, {WIDTH}."
            )
        return _Serving(name=name, adapter=adapter, canary=self._right(adapter))

    def _right(self, adapter: Adapter) -> float:
        """The share of the canary set that an adapter reads right; 1 when there is none."""
        if not self._canary:
            return 1.0
        if self._tried is None:
            self._tried = encode([lesson.text for lesson in self._canary])
        best = probabilities(self._tried, adapter.fitted).argmax(axis=1)
        right = [
            adapter.labels[place] == lesson.intent
            for place, lesson in zip(best, self._canary, strict=True)
        ]
        return float(np.mean(right))


def _worse(candidate: _Serving, serving: _Serving) -> str:
    if candidate.canary >= serving.canary:
        return ""
    share = f"{candidate.canary:.3f} right on the canary set, {serving.canary:.3f} now"
    return f"it is worse: {share}."


def _opinion(chances: NDArray[np.float64], adapter: Adapter) -> Opinion:
    best = np.argsort(-chances)[:_RANKED]
    ranked = tuple((adapter.labels[place], float(chances[place])) for place in best)
    label, probability = ranked[0]
    return Opinion(
        intent=label if probability >= adapter.threshold else None,
        probability=probability,
        ranked=ranked,
        version=adapter.version,
    )


def _swap(serving: _Serving, *, refused: str = "") -> Swap:
    return Swap(served=serving.name, version=serving.adapter.version, refused=refused)
