"""`opsmith maintenance …`: times in which alerts wake nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from opsmith.cli.options import output_option
from opsmith.cli.source import Duration
from opsmith.errors import BadInput
from opsmith.nouns.maintenance import Matcher, Window
from opsmith.nouns.session import Principal

if TYPE_CHECKING:
    from opsmith.wiring.standing import Calendar

Act = Callable[["Calendar", datetime], Awaitable[Sequence[Window]]]


@click.group()
def maintenance() -> None:
    """Set times in which alerts are written down but open no incident and send no notice."""


@maintenance.command()
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@click.option("--for", "length", type=Duration(), default="1h", show_default=True)
@click.option("--from", "begin", metavar="TIME", help="ISO 8601 with its zone; now if unset.")
@click.option("--why", default="", help="For the others.")
@output_option
def add(
    selectors: tuple[str, ...], length: timedelta, begin: str | None, why: str, output: str
) -> None:
    """Set a window for the alerts that fit every SELECTOR.

    A selector is an entity (service:cart) or a matcher of a label: severity=warning,
    alertname=~Disk.*, env!=prod.
    """
    matchers = tuple(map(Matcher.parse, selectors))
    since = _time(begin) if begin else None

    async def act(calendar: Calendar, now: datetime) -> Sequence[Window]:
        made = await calendar.add(
            matchers, starts_at=since or now, length=length, by=_user(), why=why
        )
        return (made,)

    _show(act, output, one=True)


@maintenance.command("list")
@output_option
def list_(output: str) -> None:
    """The windows that are on or to come."""

    async def act(calendar: Calendar, now: datetime) -> Sequence[Window]:
        return calendar.windows(now)

    _show(act, output)


@maintenance.command()
@click.argument("name")
@output_option
def end(name: str, output: str) -> None:
    """End a window now; alerts that still fire are taken within seconds."""

    async def act(calendar: Calendar, now: datetime) -> Sequence[Window]:
        return (await calendar.end(name, now=now, by=_user()),)

    _show(act, output, one=True)


def _show(act: Act, output: str, *, one: bool = False) -> None:
    from opsmith import settings
    from opsmith.http.shapes import WindowShape
    from opsmith.wiring.standing import with_calendar

    windows = asyncio.run(with_calendar(settings.load(), act))
    if output == "json":
        shown = [WindowShape.of(window).model_dump(mode="json") for window in windows]
        click.echo(json.dumps(shown[0] if one else shown, indent=2, ensure_ascii=False))
        return
    if not windows:
        click.echo("No maintenance is on or to come.")
    for window in windows:
        what = " ".join(map(str, window.matchers))
        times = f"{window.starts_at:%Y-%m-%d %H:%M}Z to {window.ends_at:%Y-%m-%d %H:%M}Z"
        text = f"{window.id}  {times}  {what}  {window.why}".rstrip()
        click.echo("".join(mark if mark.isprintable() else "?" for mark in text))


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{text[:40]!r} is no time; write 2026-11-24T22:00:00Z.") from error
    if found.tzinfo is None:
        raise BadInput(f"{text[:40]!r} has no zone.", hint="End it with Z or +01:00.")
    return found


def _user() -> Principal:
    """The user of the system, whatever the environment claims."""
    from opsmith.wiring.sessions import os_user

    return os_user()
