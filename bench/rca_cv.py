"""Honest figures from labelled storms alone: `bench/rca_cv.py FOLDER... [--repeats N]`.

Cross-validation by incident: in each of five folds the shipped weights are fitted anew without
the held-out incidents of ANY system, then scored on them without a history, and with the refit
on the system's own other incidents.  And by system: the weights are fitted on all systems but
one and scored on that one, which is what a stranger's system may expect without refitting.
Writes one JSON line an incident and way: scores, causes, rank.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import click
import numpy as np
from fit_shipped import SEED, shipped_from
from incident_sets import find_sets, solved

from opsmith.localise.fitted import Fitted
from opsmith.localise.fitting import Solved, labelled, refit

FOLDS = 5
Row = dict[str, object]


def scored(history: Sequence[Solved], fitted: Fitted, *, system: str, way: str) -> Iterator[Row]:
    """The scores of every incident of a history by some weights."""
    for recording, causes in history:
        table = labelled(recording, causes, fitted.base_rates).table
        scores = fitted.ranker.scores(table)
        right = np.array([entity in causes for entity in table.entities])
        order = np.argsort(-scores, kind="stable")
        ranks = np.flatnonzero(right[order]) + 1
        yield {
            "system": system,
            "way": way,
            "incident": recording.name,
            "rank": int(ranks[0]) if len(ranks) else 0,
            "scores": [round(float(score), 4) for score in scores],
            "causes": np.flatnonzero(right).tolist(),
        }


def by_incident(systems: Mapping[str, Sequence[Solved]], *, repeat: int) -> Iterator[Row]:
    """Each incident scored by weights that never saw it."""
    rng = np.random.default_rng(SEED + repeat)
    fold_of = {name: rng.permutation(len(h)) % FOLDS for name, h in systems.items()}
    for fold in range(FOLDS):
        kept = {
            name: [one for one, at in zip(h, fold_of[name], strict=True) if at != fold]
            for name, h in systems.items()
        }
        shipped = shipped_from(list(kept.values()), temperature=1.0)
        for name, history in systems.items():
            out = [one for one, at in zip(history, fold_of[name], strict=True) if at == fold]
            own = refit(kept[name], shipped.ranker, seed=SEED)
            yield from scored(out, shipped, system=name, way="shipped")
            yield from scored(out, own, system=name, way="refitted")


def by_system(systems: Mapping[str, Sequence[Solved]]) -> Iterator[Row]:
    """Each system scored by weights that never saw it."""
    for name, history in systems.items():
        others = [h for other, h in systems.items() if other != name]
        shipped = shipped_from(others, temperature=1.0)
        yield from scored(history, shipped, system=name, way="other systems")


def table_of(rows: Sequence[Row]) -> str:
    """AC@1, AC@3 and Avg@5 by system and way, as lines of text."""
    ranks: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        ranks[str(row["system"]), str(row["way"])].append(int(str(row["rank"])))
    lines = [f"{'system':28} {'way':14} {'n':>4} {'AC@1':>6} {'AC@3':>6} {'Avg@5':>6}"]
    for (system, way), found in sorted(ranks.items()):
        rank = np.array(found)
        hits = [float(((rank >= 1) & (rank <= k)).mean()) for k in range(1, 6)]
        figures = (hits[0], hits[2], float(np.mean(hits)))
        row = " ".join(f"{figure:6.3f}" for figure in figures)
        lines.append(f"{system:28} {way:14} {len(rank):4} {row}")
    return "\n".join(lines)


def write(rows: Iterator[Row], out: TextIO) -> list[Row]:
    """Write each row as it comes."""
    kept = []
    for row in rows:
        print(json.dumps(row), file=out, flush=True)
        kept.append(row)
    return kept


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--repeats", default=1, show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path))
def main(folders: tuple[Path, ...], repeats: int, out: Path) -> None:
    """Cross-validate on labelled FOLDERS."""
    sets = [one for folder in folders for one in find_sets(folder)]
    systems = {one.name: list(solved(one.folder)) for one in sets}
    with out.open("w", encoding="utf-8") as file:
        rows = write(by_system(systems), file)
        print(table_of(rows), flush=True)
        for repeat in range(repeats):
            rows += write(by_incident(systems, repeat=repeat), file)
            print(table_of(rows), flush=True)


if __name__ == "__main__":
    main()
