"""`opsmith bundle`: what an incident bundle holds, what is wrong with it, how it is laid out."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

import click

from opsmith import wiring
from opsmith.cli.options import output_option
from opsmith.nouns.recording import BundleCheck, Missing, PartCheck


@click.group()
def bundle() -> None:
    """Look at an incident bundle: a folder of recorded telemetry (docs/reference/bundle.md)."""


@bundle.command()
@click.argument("folder", type=click.Path(path_type=Path))
@output_option
def check(folder: Path, output: str) -> None:
    """Say what the bundle in FOLDER holds, what is wrong with it and what it lacks.

    Exit codes: 0 usable, 1 problems found (what is usable is used all the same), 2 no bundle.
    """
    found = wiring.check_bundle(folder)
    click.echo(json.dumps(_as_json(found), indent=2) if output == "json" else _as_text(found))
    sys.exit(0 if found.usable and not found.problems else 1)


@bundle.command()
@click.argument("name", type=click.Choice(wiring.BUNDLE_SCHEMAS))
def schema(name: str) -> None:
    """Print the JSON Schema of incident.yaml, topology.json or a line of changes.jsonl."""
    click.echo(wiring.bundle_schema(name), nl=False)


def _as_json(found: BundleCheck) -> dict[str, object]:
    window = found.window
    return {
        "name": found.name,
        "usable": found.usable,
        "window": {"start": _time(window.start), "end": _time(window.end)} if window else None,
        "parts": [_part_as_json(part) for part in found.parts],
        "problems": [_missing_as_json(problem) for problem in found.problems],
        "lacking": [_missing_as_json(lack) for lack in found.lacking],
    }


def _part_as_json(part: PartCheck) -> dict[str, object]:
    return {
        "part": part.part,
        "count": part.count,
        "unit": part.unit,
        "first": _time(part.first),
        "last": _time(part.last),
    }


def _missing_as_json(missing: Missing) -> dict[str, str]:
    return {"part": missing.part, "what": missing.what}


def _as_text(found: BundleCheck) -> str:
    verdict = "usable" if found.usable else "nothing to investigate in it"
    rows = [f"{_plain(found.name)}: {verdict}", ""]
    if found.window:
        rows.insert(1, f"window    {_time(found.window.start)} to {_time(found.window.end)}")
    for part in found.parts:
        times = f"  {_time(part.first)} to {_time(part.last)}" if part.first else ""
        rows.append(f"{part.part:<10}{part.count:>9} {part.unit:<8}{times}")
    for title, told in (("Problems", found.problems), ("Not recorded", found.lacking)):
        if told:
            rows.extend(["", f"{title}:"])
            rows.extend(f"  {one.part}: {_plain(one.what)}" for one in told)
    return "\n".join(rows)


def _time(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None


def _plain(text: str) -> str:
    """Text of a stranger without the signs that steer a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
