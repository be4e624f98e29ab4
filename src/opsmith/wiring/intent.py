"""Intent recognition: the encoder and its adapters, trained, tried, swapped and asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from opsmith.errors import BadInput, Conflict, NotFound
from opsmith.seams.intent import Intents, Opinion
from opsmith.settings import Settings

if TYPE_CHECKING:
    from opsmith.backends.intent.adapter import Adapter
    from opsmith.backends.intent.serving import Canary, Swap, TenantIntents
    from opsmith.backends.intent.shelf import Shelf
    from opsmith.backends.intent.train import Lesson

FOLDER = "intent"
CANARY = "canary.jsonl"
# A hundred thousand sentences take the encoder about half an hour.
_MOST_LESSONS = 100_000
_LARGEST_LINE = 8_000
_SEED = 20_26


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterCard:
    """One adapter as it is listed. fault: why it cannot serve, empty when it can."""

    name: str
    active: bool
    version: str = ""
    labels: int = 0
    rank: int = 0
    scores: tuple[tuple[str, float], ...] = ()
    notes: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How sentences were read. answered: share above the threshold. right_when_answered: of those.

    misses: (text, wanted, read) of the wrong ones, abstentions apart.
    """

    sentences: int
    right: float
    answered: float
    right_when_answered: float
    misses: tuple[tuple[str, str, str], ...]


class LateIntents:
    """Intents that load their encoder with the first question: most sentences need none."""

    def __init__(self, folder: Path, tenant: str) -> None:
        self._folder = folder
        self._tenant = tenant

    def opinions(self, texts: Sequence[str]) -> tuple[Opinion, ...]:
        """Ask what serves the tenant."""
        return served(self._folder).of(self._tenant).opinions(texts)


def intents(settings: Settings, tenant: str) -> Intents:
    """What gives a tenant opinions on intents with these settings; loads nothing yet."""
    return LateIntents(settings.data_dir / FOLDER, tenant)


@cache
def served(folder: Path) -> TenantIntents:
    """The serving object of one folder of adapters, one a process."""
    from opsmith.backends.intent.serving import Canary, TenantIntents
    from opsmith.backends.intent.shelf import Shelf

    @cache
    def over(path: Path) -> Canary:
        return Canary(lambda: read_lessons(path))

    def canary(root: Path) -> Canary:
        """Of this shelf, else of the one that all share, else the shipped one."""
        found = (one / CANARY for one in (root, folder) if (one / CANARY).is_file())
        return over(next(found, _shipped() / CANARY))

    return TenantIntents(Shelf(folder, _shipped()), canary)


async def keep_fresh(settings: Settings, tell: Callable[[Swap], Awaitable[None]]) -> None:
    """Look at the folders of adapters every `hot_reload_interval_ms`, for as long as it runs.

    tell: is told of each swap and of each adapter that was refused.
    """
    serving = served(settings.data_dir / FOLDER)
    while True:
        for swap in await asyncio.to_thread(serving.refresh):
            await tell(swap)
        await asyncio.sleep(settings.hot_reload_interval_ms / 1e3)


def train_adapter(
    data: Path,
    name: str,
    settings: Settings,
    *,
    notes: str,
    tenant: str = "",
    inventory: Path | None = None,
) -> AdapterCard:
    """Train on a file of sentences and put the adapter on the shelf; it is not in use yet.

    tenant: whose shelf, empty for the one that all share.
    inventory: the names in the sentences, which are then learned as they are shown when served:
        by what they name. None for sentences that are written so.
    Raises `BadInput` for a file that cannot be learned from, `Conflict` for a name that is taken.
    """
    import numpy as np

    from opsmith.backends.intent.train import train

    shelf = _shelf(settings, tenant)
    if name in shelf.names():
        raise Conflict(f"There is an adapter {name!r} already.", hint="Choose a new name.")
    lessons = _as_shown(read_lessons(data), inventory)
    made = train(lessons, precision=_PRECISION, notes=notes, rng=np.random.default_rng(_SEED))
    return _card(name, shelf.add(name, made), active=False)


# What the model answers should be as right as what the rules answer on fresh sentences.
_PRECISION = 0.95


def score_adapter(
    data: Path,
    name: str | None,
    settings: Settings,
    *,
    tenant: str = "",
    inventory: Path | None = None,
) -> Score:
    """Measure an adapter, the one in use by default; inventory as for `train_adapter`."""
    from opsmith.backends.intent.adapter import load
    from opsmith.backends.intent.encoder import encode
    from opsmith.numerics.lowrank import probabilities

    shelf = _shelf(settings, tenant)
    adapter = load(shelf.folder(name or shelf.active()))
    lessons = _as_shown(read_lessons(data), inventory)
    chances = probabilities(encode([one.text for one in lessons]), adapter.fitted)
    best = [adapter.labels[place] for place in chances.argmax(axis=1)]
    sure = chances.max(axis=1) >= adapter.threshold
    right = [read == one.intent for read, one in zip(best, lessons, strict=True)]
    kept = [hit for hit, answered in zip(right, sure, strict=True) if answered]
    return Score(
        sentences=len(lessons),
        right=sum(right) / len(right),
        answered=len(kept) / len(lessons),
        right_when_answered=sum(kept) / max(1, len(kept)),
        misses=tuple(
            (one.text, one.intent, read)
            for one, read, hit, answered in zip(lessons, best, right, sure, strict=True)
            if answered and not hit
        ),
    )


def _as_shown(lessons: tuple[Lesson, ...], inventory: Path | None) -> tuple[Lesson, ...]:
    """The lessons in the words that the model is shown when it serves."""
    if inventory is None:
        return lessons
    from opsmith.parse.loading import builtin_schemas, load_catalogue
    from opsmith.parse.normalise import normalise
    from opsmith.parse.reader import SentenceReader
    from opsmith.parse.second import kinds_shown

    reader = SentenceReader(load_catalogue(inventory), builtin_schemas())
    said = (kinds_shown(reader.tagged(normalise(one.text))) for one in lessons)
    return tuple(replace(one, text=text) for one, text in zip(lessons, said, strict=True) if text)


def adapters(settings: Settings, *, tenant: str = "") -> tuple[AdapterCard, ...]:
    """Every adapter on a shelf, also those that cannot serve, with why."""
    from opsmith.backends.intent.adapter import load

    shelf = _shelf(settings, tenant)
    active = shelf.active()
    found: list[AdapterCard] = []
    for name in shelf.names():
        try:
            found.append(_card(name, load(shelf.folder(name)), active=name == active))
        except (BadInput, NotFound) as error:
            found.append(AdapterCard(name=name, active=name == active, fault=str(error)))
    return tuple(found)


def use_adapter(name: str, settings: Settings, *, tenant: str = "") -> AdapterCard:
    """Put an adapter into use; processes that serve take it up at their next look.

    It is tried here as they will try it. Raises `BadInput` when it is damaged or for another
    encoder, `Conflict` when it reads the canary set worse than the one in use.
    """
    shelf = _shelf(settings, tenant)
    shelf.folder(name)
    faults = served(settings.data_dir / FOLDER).of(tenant).fault_of(name)
    if faults:
        raise Conflict(f"{name} is not put into use: {faults}")
    return _card(name, shelf.use(name), active=True)


def roll_back(settings: Settings, *, tenant: str = "") -> str:
    """Go back to the adapter before; returns its name."""
    return _shelf(settings, tenant).rollback()


def read_lessons(path: Path) -> tuple[Lesson, ...]:
    """Read JSON lines {"text", "intent"}. Raises `BadInput` with the line that is wrong."""
    from opsmith.backends.intent.train import Lesson

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name!r} cannot be read as UTF-8 text.") from error
    found: list[Lesson] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            found.append(Lesson(*_lesson(line, f"{path.name}:{number}")))
    if not found or len(found) > _MOST_LESSONS:
        raise BadInput(f"{path.name!r} must hold 1 to {_MOST_LESSONS} sentences.")
    return tuple(found)


def _lesson(line: str, place: str) -> tuple[str, str]:
    try:
        row: object = json.loads(line) if len(line) <= _LARGEST_LINE else None
    except (ValueError, RecursionError):
        row = None
    text = row.get("text") if isinstance(row, dict) else None
    intent = row.get("intent") if isinstance(row, dict) else None
    if not isinstance(text, str) or not isinstance(intent, str) or not text or not intent:
        raise BadInput(f'{place}: a line must be {{"text": "…", "intent": "…"}}, both not empty.')
    return text, intent


def _card(name: str, adapter: Adapter, *, active: bool) -> AdapterCard:
    return AdapterCard(
        name=name,
        active=active,
        version=adapter.version,
        labels=len(adapter.labels),
        rank=adapter.fitted.rank,
        scores=tuple(sorted(adapter.scores.items())),
        notes=adapter.notes,
    )


def _shelf(settings: Settings, tenant: str) -> Shelf:
    from opsmith.backends.intent.shelf import Shelf

    shared = Shelf(settings.data_dir / FOLDER, _shipped())
    return shared.of(tenant) if tenant else shared


def _shipped() -> Path:
    return Path(str(files("opsmith.backends.intent") / "shipped"))
