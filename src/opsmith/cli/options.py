"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

# Where the root of the command line finds out which form an error must have.
OUTPUT = "opsmith.output"

Command = TypeVar("Command", bound=Callable[..., object])


def output_option(command: Command) -> Command:
    """Add `-o text|json`; the chosen form also decides how an error is said."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        is_eager=True,
        callback=_remember,
        help="text for a person, json for a program (one object on standard output).",
    )(command)


def _remember(ctx: click.Context, _: click.Parameter, value: str) -> str:
    ctx.meta[OUTPUT] = value
    return value
