"""Folders of published incidents: which layout each has, its recordings, and apart, its truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from readers import nezha, openrca, petshop, tvdiag
from readers.files import text_of

from opsmith.errors import BadInput
from opsmith.localise.fitting import Solved
from opsmith.nouns.recording import Recording

TRUTH = "ground_truth.jsonl"
DEEPEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentSet:
    """One folder of incidents of one system, and the reader that fits it."""

    name: str
    folder: Path
    reader: ModuleType

    def read(self) -> Iterator[tuple[str, Callable[[], Recording]]]:
        """The incidents by name; calling the second reads one."""
        yield from self.reader.read(self.folder)


# What tells each layout, by its files alone.
LAYOUTS: tuple[tuple[ModuleType, Callable[[Path], bool]], ...] = (
    (openrca, openrca.fits),
    (tvdiag, tvdiag.fits),
    (petshop, lambda folder: any((folder / "dataset").glob("*/t*/issue_*/target.json"))),
    (nezha, lambda folder: any((folder / "incidents").glob("*/incident.json"))),
)


def find_sets(folder: Path) -> tuple[IncidentSet, ...]:
    """The sets at or below a folder, in order of name. Raises `BadInput` when there is none."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder.")
    found = tuple(_walk(folder, DEEPEST))
    if not found:
        raise BadInput(
            f"{folder}: no layout of incidents is known here."
            " Expected dataset/*/t*/issue_*, incidents/*/incident.json, *-KG.json with"
            " metric/metrics.json, or raw/{metrics,traces,logs,nodes,edges}.json."
        )
    return found


def _walk(folder: Path, depth: int) -> Iterator[IncidentSet]:
    for reader, fits in LAYOUTS:
        if fits(folder):
            yield IncidentSet(name=folder.resolve().name, folder=folder, reader=reader)
            return
    if depth:
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield from _walk(inner, depth - 1)


def truth_of(folder: Path) -> Mapping[str, frozenset[str]] | None:
    """The names to blame by incident, or None without a truth file. For scoring and fitting."""
    path = folder / TRUTH
    if not path.is_file():
        return None
    truth = {}
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
                truth[str(row["incident"])] = frozenset(map(str, row["root_causes"]))
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(f"{path}:{number}: no incident with root causes.") from error
    return truth


def solved(folder: Path) -> Sequence[Solved]:
    """The labelled incidents of a folder. Raises `BadInput` when it has no truth."""
    history: list[Solved] = []
    for one in find_sets(folder):
        history += _solved_of(one)
    return history


def _solved_of(one: IncidentSet) -> Iterator[Solved]:
    truth = truth_of(one.folder)
    if truth is None:
        raise BadInput(f"{one.folder}: nothing to learn from: no {TRUTH}.")
    for name, read in one.read():
        recording = read()
        causes = frozenset(
            entity
            for entity in recording.candidates
            if one.reader.names(recording, entity) in truth.get(name, frozenset())
        )
        yield recording, causes
