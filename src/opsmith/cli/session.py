"""`opsmith session`: the conversations that stand on the ledger."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from opsmith.cli.ask import TIMEOUT_S
from opsmith.cli.asking import asking_options
from opsmith.cli.options import output_option
from opsmith.errors import BadInput

if TYPE_CHECKING:
    from opsmith.nouns.session import Turn
    from opsmith.wiring.ask import AskSources


@click.group()
def session() -> None:
    """See and go on with conversations."""


@session.command("list")
@output_option
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
def list_(output: str, limit: int) -> None:
    """List sessions, the newest first."""
    from opsmith.settings import load
    from opsmith.wiring.sessions import list_sessions

    _print(list_sessions(load())[:limit], output, lambda one: f"{one.session}  {one.number:>4}")


@session.command()
@click.argument("name")
@output_option
def show(name: str, output: str) -> None:
    """Show every turn of the session NAME."""
    from opsmith.settings import load
    from opsmith.wiring.sessions import show_session

    found = show_session(load(), name)
    if output == "json":
        _print(found, output, lambda one: f"{one.number:>4}")
        return
    for turn in found:
        took_ms = (turn.ended - turn.began).total_seconds() * 1e3
        click.echo(f"{turn.number}. {turn.began:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f"Z  {turn.status}")
        click.echo(f"   {turn.principal}: {turn.command}")
        click.echo("".join(f"   | {line}\n" for line in turn.said.splitlines()), nl=False)
        click.echo(f"   ({took_ms:.0f} ms)")


@session.command()
@click.argument("name")
@asking_options
def resume(name: str, sources: AskSources) -> None:
    """Go on with the session NAME where it was left."""
    from opsmith.cli.talk import Talk

    if not sys.stdin.isatty():
        raise BadInput(
            "A conversation needs a terminal.", hint=f'Use opsmith ask --session {name} "…".'
        )
    talk = Talk(json_wanted=False, sources=sources, timeout_s=TIMEOUT_S, session=name)
    click.get_current_context().exit(asyncio.run(talk.on_and_on()))


def turn_json(turn: Turn) -> dict[str, object]:
    """One turn as JSON."""
    return {
        "session": turn.session,
        "number": turn.number,
        "command": turn.command,
        "status": str(turn.status),
        "outcome": turn.outcome,
        "intents": list(turn.intents),
        "began": turn.began.isoformat(timespec="milliseconds"),
        "ended": turn.ended.isoformat(timespec="milliseconds"),
        "principal": turn.principal,
        "tenant": turn.tenant,
        "said": turn.said,
    }


def _print(found: tuple[Turn, ...], output: str, head: Callable[[Turn], str]) -> None:
    if output == "json":
        click.echo(json.dumps([turn_json(one) for one in found], ensure_ascii=False, indent=2))
        return
    for one in found:
        click.echo(
            f"{head(one)}  {one.began:%Y-%m-%d %H:%M:%S}Z  {one.status:<8} "
            f"{one.principal}  {one.command}"
        )
