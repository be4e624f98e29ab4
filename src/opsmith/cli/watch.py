"""`opsmith watch`: incidents, anomalies and early warnings as they come, line by line."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import click

from opsmith.cli.options import output_option
from opsmith.cli.source import Duration
from opsmith.nouns.incident import Incident
from opsmith.nouns.sign import Sign


@click.command()
@click.option(
    "--since",
    type=Duration(),
    help="Begin with what changed so long ago: 30m, 12h, 2d; without it with what comes.",
)
@output_option
def watch(since: timedelta | None, output: str) -> None:
    """Show incidents, anomalies and early warnings as `opsmith up` finds them.

    Reads the ledger of the same data folder; end it with Ctrl-C. With -o json one object a line.
    """
    asyncio.run(_show(since or timedelta(0), output))


async def _show(since: timedelta, output: str) -> None:
    from opsmith import settings
    from opsmith.wiring.follow import follow

    known = settings.load()
    click.echo(f"opsmith: following {known.data_dir}; `opsmith up` fills it", err=True)
    async for one in follow(known, since=since):
        click.echo(_as_json(one) if output == "json" else _as_text(one))


def _as_json(one: Incident | Sign) -> str:
    from opsmith.http.shapes import IncidentShape, SignShape

    if isinstance(one, Incident):
        told = {"type": "incident", **IncidentShape.of(one).model_dump(mode="json")}
    else:
        told = {"type": "sign", **SignShape.of(one).model_dump(mode="json")}
    return json.dumps(told, ensure_ascii=False)


def _as_text(one: Incident | Sign) -> str:
    if isinstance(one, Incident):
        verdict = one.verdict.sentence if one.verdict else "the cause is being looked for"
        words = f"{one.state}  {one.title}: {verdict} ({one.firing}/{one.size} firing)"
        return _line(one.updated_at, "INCIDENT", one.id, words)
    kind = one.kind.upper() if one.ended_at is None else f"{one.kind} over"
    words = f"{one.entity}  {one.series}: {one.claim}"
    return _line(one.ended_at or one.at, kind, one.id, words)


def _line(at: datetime, kind: str, name: str, words: str) -> str:
    clean = "".join(mark if mark.isprintable() else "?" for mark in words)
    return f"{at:%Y-%m-%d %H:%M:%S}Z  {kind:<12}  {name}  {clean}"
