"""Replay: an incident investigated again from what was kept, offline, and held to the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from opsmith.audit.digests import of_folder, of_text
from opsmith.audit.states import LOOK, to_look
from opsmith.errors import NotFound, Unreachable
from opsmith.flows.investigate import Investigation, investigate
from opsmith.localise.fitted import Fitted, from_json, to_json
from opsmith.nouns.diagnosis import PathWeights
from opsmith.nouns.look import Look
from opsmith.nouns.report import Report
from opsmith.seams.ledger import Wanted
from opsmith.settings import Settings
from opsmith.wiring.ledger import opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of a replay. differs: what is not as it was then, in words; empty when all is."""

    look: Look
    report: Report
    differs: tuple[str, ...]


def look_of(folder: Path, found: Investigation, *, fitted: Fitted, top: int, at: datetime) -> Look:
    """What the investigation kept in `folder` was made from; keeps its weights beside it all.

    folder: of the incident, named by its id, with its `bundle` inside. at: UTC-aware.
    """
    text = to_json(fitted)
    kept = _weights_file(folder.parent.parent, of_text(text))
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(kept)
    return Look(
        incident=folder.name,
        bundle=of_folder(folder / "bundle"),
        weights=of_text(text),
        html=of_text(found.report.html),
        markdown=of_text(found.report.markdown),
        json=of_text(found.report.json),
        version=version("opsmith"),
        top=top,
        path_weights=PathWeights.BOTTLENECK,
        at=at,
        seen_before=found.seen_before,
    )


def replay(settings: Settings, incident: str) -> Replayed:
    """Investigate an incident again as it was last looked at. Asks no server.

    Raises `NotFound` when it was never looked at, `Unreachable` when what it was made from is
    gone.
    """
    look = asyncio.run(_last_look(settings, incident))
    folder = settings.data_dir / "incidents" / incident
    try:
        text = _weights_file(settings.data_dir, look.weights).read_text(encoding="utf-8")
        bundle = of_folder(folder / "bundle")
    except OSError as error:
        raise Unreachable(
            f"What incident {incident[:80]} was made from is gone: {error}."
        ) from error
    found = investigate(
        folder / "bundle",
        fitted=from_json(text),
        top=look.top,
        path_weights=look.path_weights,
        seen_before=lambda _: look.seen_before,
    )
    differs = tuple(_differences(look, found.report, bundle=bundle, weights=of_text(text)))
    return Replayed(look=look, report=found.report, differs=differs)


def _differences(look: Look, report: Report, *, bundle: str, weights: str) -> Iterator[str]:
    forms = ("html", "markdown", "json")
    if bundle != look.bundle:
        yield "the bundle was changed since"
    if weights != look.weights:
        yield "the kept weights were changed since"
    for form in forms:
        if of_text(getattr(report, form)) != getattr(look, form):
            other = version("opsmith")
            by = f" (it was made by {look.version}, this is {other})"
            yield f"the {form} report differs{by if other != look.version else ''}"


def _weights_file(data_dir: Path, digest: str) -> Path:
    return data_dir / "weights" / f"{digest}.json"


async def _last_look(settings: Settings, incident: str) -> Look:
    async with opened(settings) as ledger:
        found = await ledger.read(Wanted(kind=LOOK, subject=incident, latest=True, limit=1))
    if not found:
        raise NotFound(
            f"Incident {incident[:80]!r} was never looked at.", hint="See `incident list`."
        )
    return to_look(found[0])
