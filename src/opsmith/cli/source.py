"""Options of the commands that read series, and durations as people write them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import click

from opsmith.errors import BadInput
from opsmith.nouns.source import Source

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
# Ten years: more than any history or horizon that is meant.
LONGEST_S = 315_360_000


class Duration(click.ParamType[timedelta]):
    """`90s`, `30m`, `6h`, `2d`, `1w`, also one after the other: `1d12h`."""

    name = "duration"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Give the duration, or end with a usage error."""
        if isinstance(value, timedelta):
            return value
        whole = re.fullmatch(r"(\d{1,9}[smhdw])+", value)
        terms = re.findall(r"(\d+)([smhdw])", value) if whole else []
        seconds = sum(int(number) * SECONDS[unit] for number, unit in terms)
        if 0 < seconds <= LONGEST_S:
            return timedelta(seconds=seconds)
        said = f"{value!r} is no duration; write for example 30m, 6h or 2d."
        raise click.BadParameter(said, ctx, param)


Command = TypeVar("Command", bound=Callable[..., object])


def where_options(command: Command) -> Command:
    """Add [QUERY], --file, --prometheus and --history, each handed on as it is."""
    options = (
        click.argument("query", required=False, metavar="[SELECTOR|PROMQL]"),
        click.option(
            "--file",
            "file",
            type=click.Path(path_type=Path),
            help="Read series from this CSV, Parquet or OpenMetrics file.",
        ),
        click.option("--prometheus", "url", metavar="URL", help="Ask this server, with PROMQL."),
        click.option(
            "--history",
            type=Duration(),
            default="14d",
            show_default=True,
            help="How far back to ask the server.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of `where_options`, handed on as one `source`."""

    @where_options
    @functools.wraps(command)
    def with_source(
        query: str | None, file: Path | None, url: str | None, history: timedelta, **rest: object
    ) -> None:
        command(source=checked(query, file, url, history), **rest)

    return with_source


def checked(query: str | None, file: Path | None, url: str | None, history: timedelta) -> Source:
    """A source that says one thing. Raises BadInput when it says two or none."""
    if file is not None and url is not None:
        raise BadInput("Series come from a file or from a server.", hint="Give one of the two.")
    if file is None and not query:
        raise BadInput(
            "Nothing was named to read series from.",
            hint="Give a selector, or --file FILE, or --prometheus URL PROMQL.",
        )
    where = None if file is None else str(file)
    return Source(query=query, file=where, url=url, history=history)
