"""Serving opinions while adapters are swapped: one immutable object, replaced in one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsmith.backends.intent.adapter import Adapter, load
from opsmith.backends.intent.encoder import ENCODER_ID, WIDTH, encode, recalled
from opsmith.backends.intent.shelf import SHARED, Shelf
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
    tenant: whose shelf it is, empty for the one that all share.
    """

    served: str
    version: str
    refused: str = ""
    tenant: str = ""


class Canary:
    """Sentences that a new adapter is tried on before it serves.

    read: gives them, none for no trial; called before the first trial, raises `BadInput`.
    """

    def __init__(self, read: Callable[[], Sequence[Lesson]]) -> None:
        self._read = read
        self._known: tuple[NDArray[np.float64], tuple[str, ...]] | None = None

    def right(self, adapter: Adapter) -> float:
        """The share that an adapter reads right; 1 when there are none."""
        vectors, intents = self.known()
        if not intents:
            return 1.0
        best = probabilities(vectors, adapter.fitted).argmax(axis=1)
        read = [adapter.labels[place] for place in best]
        return float(np.mean([one == right for one, right in zip(read, intents, strict=True)]))

    def known(self) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """The sentences as vectors, made with the first call, and their intents."""
        if self._known is None:
            lessons = self._read()
            vectors = encode([lesson.text for lesson in lessons])
            self._known = vectors, tuple(lesson.intent for lesson in lessons)
        return self._known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Serving:
    name: str
    adapter: Adapter


class ServedIntents:
    """Keeps the promises of `seams.intent.Intents` with whatever the shelf says is in use.

    behind: of a tenant's shelf, what serves while nothing of its own is in use.
    """

    def __init__(
        self,
        shelf: Shelf,
        canary: Canary,
        *,
        tenant: str = "",
        behind: ServedIntents | None = None,
    ) -> None:
        self._shelf = shelf
        self._canary = canary
        self._tenant = tenant
        self._behind = behind
        self._seen: tuple[str, bytes] | None = None
        self._started = False
        self._own: _Serving | None = None

    def opinions(self, texts: Sequence[str]) -> tuple[Opinion, ...]:
        """Read the serving object once, so that a swap in between changes nothing."""
        adapter = self._now().adapter
        if not texts:
            return ()
        chances = probabilities(recalled(texts), adapter.fitted)
        return tuple(_opinion(row, adapter) for row in chances)

    def fault_of(self, name: str) -> str:
        """Why an adapter would not be served if it were put into use now; empty when it would."""
        if name == SHARED and self._behind is not None:
            return ""
        try:
            return self._worse(self._candidate(name), self._now())
        except BadInput as error:
            return str(error)

    def refresh(self) -> Swap | None:
        """Look at the shelf; swap when something else is to be served. None when nothing is new.

        Loading and trying happen in the calling thread, beside whatever is being served.
        """
        signature = self._shelf.signature()
        if signature == self._seen:
            return None
        serving, first = self._now(), self._seen is None
        self._seen = signature
        if signature[0] == SHARED and self._behind is not None:
            had, self._own = self._own, None
            return None if had is None else self._swap(self._now())
        try:
            candidate = self._candidate(signature[0])
            same = candidate.adapter.version == serving.adapter.version
            if first:
                self._canary.known()  # so that no swap has to wait for it
            known = same or self._shelf.went_back()
            fault = "" if known else self._worse(candidate, serving)
        except (BadInput, NotFound) as error:
            fault = str(error)
        if fault:
            return self._swap(serving, refused=f"{signature[0]}: {fault}")
        self._own = candidate
        return None if same else self._swap(candidate)

    def _now(self) -> _Serving:
        if not self._started:
            self._start()
        own = self._own
        if own is not None:
            return own
        if self._behind is None:
            raise HouseError(
                "No adapter can serve, not even the shipped one; install opsmith again."
            )
        return self._behind._now()  # noqa: SLF001 - of another one of this kind

    def _start(self) -> None:
        """Take the adapter in use, or what stands behind it when that cannot serve."""
        for name in dict.fromkeys((self._shelf.active(), self._shelf.last)):
            if name == SHARED:
                break
            try:
                self._own = self._candidate(name)
            except (BadInput, NotFound):
                continue
            break
        self._started = self._own is not None or self._behind is not None

    def _candidate(self, name: str) -> _Serving:
        adapter = load(self._shelf.folder(name))
        width = adapter.fitted.centre.shape[0]
        if adapter.encoder != ENCODER_ID or width != WIDTH:
            raise BadInput(
                f"It is for {adapter.encoder} of width {width}; served is {ENCODER_ID}, {WIDTH}."
            )
        return _Serving(name=name, adapter=adapter)

    def _worse(self, candidate: _Serving, serving: _Serving) -> str:
        new, old = self._canary.right(candidate.adapter), self._canary.right(serving.adapter)
        if new >= old:
            return ""
        return f"it is worse: {new:.3f} right on the canary set, {old:.3f} now."

    def _swap(self, serving: _Serving, *, refused: str = "") -> Swap:
        name, version = serving.name, serving.adapter.version
        if self._behind is not None and self._own is None:
            name = SHARED
        return Swap(served=name, version=version, refused=refused, tenant=self._tenant)


class TenantIntents:
    """What serves each tenant: its own adapter where one is in use, else the shared one.

    The encoder is one for all. canary: what a shelf of this folder is tried on.
    """

    def __init__(self, shelf: Shelf, canary: Callable[[Path], Canary]) -> None:
        self._shelf = shelf
        self._canary = canary
        self.shared = ServedIntents(shelf, canary(shelf.root))
        self._own: dict[str, ServedIntents] = {}

    def of(self, tenant: str) -> ServedIntents:
        """What serves this tenant; a shelf of its own is found with the next question."""
        own = self._own.get(tenant)
        if own is not None:
            return own
        shelf = self._shelf.of(tenant)
        if not tenant or not shelf.root.is_dir():
            return self.shared
        made = ServedIntents(shelf, self._canary(shelf.root), tenant=tenant, behind=self.shared)
        return self._own.setdefault(tenant, made)

    def refresh(self) -> tuple[Swap, ...]:
        """Look at every shelf that serves; what was swapped or refused."""
        looks = [one.refresh() for one in (self.shared, *tuple(self._own.values()))]
        return tuple(swap for swap in looks if swap is not None)


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
