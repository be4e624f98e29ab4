"""Lessons: what people confirmed and rejected refits the ranker, in a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from opsmith.backends.state.files import FileStates
from opsmith.errors import OpsmithError
from opsmith.flows.refit import Lesson, relearn
from opsmith.nouns.incident import Incident
from opsmith.nouns.record import Entry
from opsmith.seams.ledger import Ledger
from opsmith.settings import Settings
from opsmith.wiring.looks import now
from opsmith.wiring.weights import keep_weights, shipped_weights, weights

REFIT = "refit"
STATE = "ranker.lessons"
# The newest lessons count; more cost minutes and teach about systems that are no more.
MOST_LESSONS = 200


class Lessons:
    """Watches what people say of incidents, and learns when something new was said.

    A refit that fails or ranks worse is refused and the old weights stay; either way the
    outcome is on the ledger. `refits` counts the outcomes.
    """

    def __init__(self, settings: Settings, *, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._store = FileStates(settings.data_dir / "state")
        self._running: asyncio.Task[None] | None = None
        self.refits = {"kept": 0, "refused": 0, "failed": 0}

    async def consider(self, incidents: Sequence[Incident]) -> None:
        """Start a refit when people have said something new; returns at once."""
        if self._running is not None and not self._running.done():
            return
        said = [one for one in incidents if one.confirmed is not None or one.rejected]
        lessons = self._lessons(said)
        mark = _mark(said).encode()
        if lessons and await self._store.load(STATE) != mark:
            self._running = asyncio.create_task(self._learn(lessons, mark))

    async def close(self) -> None:
        """Leave a refit that runs; the next start makes it again."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def _lessons(self, said: Sequence[Incident]) -> tuple[Lesson, ...]:
        folder = self._settings.data_dir / "incidents"
        found = [
            Lesson(
                name=one.id,
                bundle=folder / one.id / "bundle",
                causes=frozenset((one.confirmed.entity,)) if one.confirmed else frozenset(),
                wrong=frozenset(blame.entity for blame in one.rejected),
            )
            for one in sorted(said, key=lambda one: one.opened_at)
        ]
        there = [lesson for lesson in found if lesson.bundle.is_dir()]
        return tuple(there[-MOST_LESSONS:]) if any(lesson.causes for lesson in there) else ()

    async def _learn(self, lessons: tuple[Lesson, ...], mark: bytes) -> None:
        outcome, why = await asyncio.to_thread(_apart, self._settings, lessons)
        self.refits[outcome] += 1
        body = f'{{"outcome":"{outcome}","lessons":{len(lessons)}}}'
        entry = Entry(kind=REFIT, subject="ranker", body=body, at=now(), principal=why[:300])
        await self._ledger.append([entry], durable=False)
        await self._store.save(STATE, mark)


def _apart(settings: Settings, lessons: tuple[Lesson, ...]) -> tuple[str, str]:
    """The outcome and why; the work is done in a process of its own that is polite."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_be_polite) as pool:
        future = pool.submit(learn, settings, lessons)
        # Whatever went wrong over there, killed or out of memory too, costs this refit alone.
        if (error := future.exception()) is not None:
            return "failed", f"{type(error).__name__}: {error}"
        return future.result()


def learn(settings: Settings, lessons: tuple[Lesson, ...]) -> tuple[str, str]:
    """Refit and keep the weights unless they are worse; what came of it, and why."""
    try:
        found = relearn(lessons, shipped=shipped_weights(), current=weights(settings))
    except OpsmithError as error:
        return "failed", str(error)
    if found.fitted is None:
        return "refused", found.why
    keep_weights(found.fitted, settings)
    return "kept", found.why


def _be_polite() -> None:
    """Alerts come first."""
    os.nice(10)


def _mark(said: Sequence[Incident]) -> str:
    """Changes when people say something else."""
    told = sorted(f"{one.id} {one.confirmed} {one.rejected}" for one in said)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
