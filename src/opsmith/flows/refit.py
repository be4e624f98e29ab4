"""refit: solved incidents in, weights of one's own out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from opsmith.errors import BadInput
from opsmith.ingest import bundle
from opsmith.localise.fitted import Fitted
from opsmith.localise.fitting import Solved, refit
from opsmith.nouns.entity import Entity

# The same solved incidents give the same weights.
SEED = 2026


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
