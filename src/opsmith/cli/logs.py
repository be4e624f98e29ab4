"""`opsmith logs …`: what services logged, searched and followed."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click

from opsmith.cli.options import output_option
from opsmith.cli.source import Duration
from opsmith.nouns.log_line import MOST_LINES, LogLine, LogQuery, LogsFound

LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"]


@click.group()
def logs() -> None:
    """Search and follow the logs of the sources file."""


class Moment(click.ParamType[datetime]):
    """A time with its zone, as RFC 3339 writes it."""

    name = "time"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Give the time in UTC, or end with a usage error."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            said = f"{value[:40]!r} is no time with a zone; write 2026-01-31T12:00:00Z."
            raise click.BadParameter(said, ctx, param)
        return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Whose records, how grave and from which source; empty for all."""

    service: str
    level: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """From when to when; without an end up to now, without a start for so long before the end."""

    since: timedelta
    start: datetime | None
    end: datetime | None


def which_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --service, --level and --source, handed on as one `which`."""

    @click.option("--service", default="", help="Of this service only.")
    @click.option("--level", type=click.Choice(LEVELS), help="At least as grave as this.")
    @click.option("--source", default="", help="In this source of the sources file only.")
    @functools.wraps(command)
    def with_which(service: str, level: str | None, source: str, **rest: object) -> None:
        command(which=Which(service=service, level=level or "", source=source), **rest)

    return with_which


def stretch_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --since, --from and --to, handed on as one `stretch`."""

    @click.option(
        "--since", type=Duration(), default="1h", show_default=True, help="How far back."
    )
    @click.option("--from", "start", type=Moment(), help="From this time on, instead of --since.")
    @click.option("--to", "end", type=Moment(), help="Up to this time; now if unset.")
    @functools.wraps(command)
    def with_stretch(
        since: timedelta, start: datetime | None, end: datetime | None, **rest: object
    ) -> None:
        command(stretch=Stretch(since=since, start=start, end=end), **rest)

    return with_stretch


@logs.command()
@click.argument("text", default="")
@which_options
@stretch_options
@click.option("--limit", type=click.IntRange(1, MOST_LINES), default=100, show_default=True)
@click.option("--templates", is_flag=True, help="Count the records by template.")
@output_option
def search(
    text: str, *, which: Which, stretch: Stretch, limit: int, templates: bool, output: str
) -> None:
    """Print the newest records with TEXT in them, oldest first.

    Exit code 1 when nothing was found.
    """
    from opsmith.settings import load
    from opsmith.wiring.logs import level_of, now, search_logs

    end = stretch.end or now()
    query = LogQuery(
        start=stretch.start or end - stretch.since,
        end=end,
        service=which.service,
        text=text,
        level=level_of(which.level),
        limit=limit,
    )
    found = asyncio.run(search_logs(load(), query, source=which.source))
    for lack in found.missing:
        click.echo(f"opsmith: not searched: {lack}", err=True)
    if templates:
        _print_templates(found, output)
    elif output == "json":
        lines = [_shape(line) for line in found.lines]
        click.echo(json.dumps({"lines": lines, "missing": found.missing}, ensure_ascii=False))
    else:
        for line in found.lines:
            click.echo(_told(line))
    if not found.lines:
        click.get_current_context().exit(1)


@logs.command()
@which_options
@output_option
def tail(which: Which, output: str) -> None:
    """Print records as they are written, until Ctrl-C; with -o json one object a line."""
    from opsmith.settings import load
    from opsmith.wiring.logs import level_of, tail_logs

    async def follow() -> None:
        async for line in tail_logs(
            load(), service=which.service, level=level_of(which.level), source=which.source
        ):
            shown = json.dumps(_shape(line), ensure_ascii=False)
            click.echo(shown if output == "json" else _told(line))

    asyncio.run(follow())


def _print_templates(found: LogsFound, output: str) -> None:
    from opsmith.wiring.logs import by_template

    rows = by_template(found.lines)
    if output == "json":
        told = [{"service": one[0], "template": one[1], "count": one[2]} for one in rows]
        click.echo(json.dumps({"templates": told, "missing": found.missing}, ensure_ascii=False))
        return
    for service, template, count in rows:
        click.echo(f"{count:>7} {service or '-'} {_plain(template)}")


def _shape(line: LogLine) -> dict[str, object]:
    return {
        "at": line.at.isoformat().replace("+00:00", "Z"),
        "level": line.level.name.lower(),
        "service": line.service,
        "text": line.text,
        "trace_id": line.trace_id,
        "source": line.source,
    }


def _told(line: LogLine) -> str:
    when = line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = "-" if not line.level else line.level.name
    return f"{when} {level:<5} {line.service or '-'} {_plain(line.text)}"


def _plain(text: str) -> str:
    """A stranger's text without signs that steer a terminal."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
