"""Failure: how the terminal says that something went wrong, and with which exit code."""

from __future__ import annotations

import errno
import json
import traceback

import click

from opsmith.cli.options import OUTPUT
from opsmith.errors import OpsmithError
from opsmith.settings import wants_debug

# What a shell gives a command that Ctrl-C ended: 128 + SIGINT.
INTERRUPTED_EXIT_CODE = 130


def told(error: BaseException, ctx: click.Context) -> int:
    """Say what went wrong in one line on standard error; gives the exit code.

    With `-o json` the same stands on standard output as one object, for programs that read that.
    A closed pipe is passed on: click ends the command quietly.
    """
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        raise error
    if wants_debug():
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if isinstance(error, KeyboardInterrupt):
        click.echo("opsmith: interrupted.", err=True)
        return INTERRUPTED_EXIT_CODE
    if isinstance(error, OpsmithError):
        return _say(error, ctx)
    return _say(_unexpected(error), ctx)


def _unexpected(error: BaseException) -> OpsmithError:
    return OpsmithError(
        f"Something went wrong inside opsmith ({type(error).__name__}: {error}).",
        hint="Run it again with OPSMITH_DEBUG=1 and report what it prints.",
    )


def _say(error: OpsmithError, ctx: click.Context) -> int:
    line = _visible(str(error))
    click.echo(f"opsmith: {line}", err=True)
    if ctx.meta.get(OUTPUT) == "json":
        said = {
            "type": type(error).__name__,
            "message": _visible(str(error.args[0])),
            "hint": _visible(error.hint) if error.hint else None,
            "exit_code": error.exit_code,
        }
        click.echo(json.dumps({"error": said}, ensure_ascii=False))
    return error.exit_code


def _visible(text: str) -> str:
    """One line that a terminal only shows: what prints nothing is written as an escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))
