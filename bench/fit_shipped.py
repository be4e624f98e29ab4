"""Fit the weights that opsmith ships: `bench/fit_shipped.py FOLDER... -o OUT.json`.

Every folder is one system's labelled storms; the forest sees each incident twice, without any
history and with the base rates of the system's other incidents, so that one forest serves both.
Nothing of a name goes into the file: the base rates are those of name-free classes, and the
memory of single cases is left out.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from opsmith.localise.base_rates import BaseRates, learn
from opsmith.localise.features import Table
from opsmith.localise.fitted import Fitted, to_json
from opsmith.localise.fitting import (
    GROWTH_OF_MANY,
    Labelled,
    Solved,
    fit_forest,
    labelled,
    unseen_tables,
)
from opsmith.localise.ranker import Ranker

SEED = 2026
# Columns that compare with single past cases; they are a user's own.
MEMORY = ("past.nearest", "past.together")


def shipped_from(systems: Sequence[Sequence[Solved]], *, temperature: float) -> Fitted:
    """The weights from several systems' solved incidents."""
    tables = [table for history in systems for table in tables_of(history)]
    forest = fit_forest(tables, GROWTH_OF_MANY, seed=SEED)
    count = sum(map(len, systems))
    return Fitted(
        base_rates=BaseRates(classes=pooled_classes(systems)),
        ranker=Ranker(
            forests=(forest,),
            temperature=temperature,
            origin=f"shipped: fitted on {count} labelled storms of {len(systems)} systems",
        ),
    )


def tables_of(history: Sequence[Solved]) -> list[Labelled]:
    """Each incident without history, and with that of its system but for single cases."""
    alone = [labelled(recording, causes, BaseRates()) for recording, causes in history]
    return alone + [replace(one, table=forgetful(one.table)) for one in unseen_tables(history)]


def forgetful(table: Table) -> Table:
    """The table without the columns that compare with single cases."""
    kept = tuple(name for name in table.columns if not any(word in name for word in MEMORY))
    return replace(table, columns=kept, values=table.select(kept))


def pooled_classes(systems: Sequence[Sequence[Solved]]) -> dict[str, float]:
    """The mean rate of each class over the systems that show it."""
    total: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    for history in systems:
        classes = learn(history).classes
        total.update(classes)
        shown.update(classes.keys())
    return {name: total[name] / shown[name] for name in total}


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path))
@click.option("--temperature", default=1.0, show_default=True, help="From the calibration run.")
def main(folders: tuple[Path, ...], out: Path, temperature: float) -> None:
    """Fit on labelled FOLDERS and write the weights."""
    from incident_sets import solved

    fitted = shipped_from([solved(folder) for folder in folders], temperature=temperature)
    out.write_text(to_json(fitted) + "\n", encoding="utf-8")
    print(f"{out}: {out.stat().st_size} bytes, {fitted.ranker.origin}", file=sys.stderr)


if __name__ == "__main__":
    main()
