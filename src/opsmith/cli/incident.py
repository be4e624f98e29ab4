"""`opsmith incident …`: see the incidents, and say what is true of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from opsmith.cli.options import output_option
from opsmith.errors import BadInput
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.entity import Entity
from opsmith.nouns.incident import Blame, Incident

if TYPE_CHECKING:
    from opsmith.wiring.standing import Watch

T = TypeVar("T")


@click.group()
def incident() -> None:
    """See the incidents that opsmith keeps, and say what is true of them."""


@incident.command("list")
@output_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
def list_(output: str, limit: int) -> None:
    """The incidents, the one that changed last first."""

    async def listed(watch: Watch) -> tuple[Incident, ...]:
        return watch.incidents()[:limit]

    _print(_with_watch(listed), output)


@incident.command()
@click.argument("name")
@output_option
def show(name: str, output: str) -> None:
    """One incident with its alerts and its cause."""

    async def one(watch: Watch) -> tuple[Incident, ...]:
        return (watch.incident(name),)

    _print(_with_watch(one), output, whole=True)


@incident.command()
@click.argument("name")
@click.option("--cause", metavar="TYPE:NAME", help="Who was to blame, if not as the verdict says.")
@click.option("--kind", type=click.Choice([str(kind) for kind in CauseKind]))
@output_option
def confirm(name: str, cause: str | None, kind: str | None, output: str) -> None:
    """Say that the verdict is right, or what the cause was."""
    if (cause is None) != (kind is None):
        raise BadInput("--cause and --kind belong together.")
    blame = Blame(entity=Entity.parse(cause), kind=CauseKind(kind)) if cause and kind else None

    async def said(watch: Watch) -> tuple[Incident, ...]:
        return (await watch.confirm(name, blame, principal=_user()),)

    _print(_with_watch(said), output, whole=True)


@incident.command()
@click.argument("name")
@output_option
def reject(name: str, output: str) -> None:
    """Say that the verdict is wrong."""

    async def said(watch: Watch) -> tuple[Incident, ...]:
        return (await watch.reject(name, principal=_user()),)

    _print(_with_watch(said), output, whole=True)


@incident.command()
@click.argument("name")
@click.argument("other")
@output_option
def merge(name: str, other: str, output: str) -> None:
    """Give the alerts of the incident OTHER to the incident NAME."""

    async def said(watch: Watch) -> tuple[Incident, ...]:
        return (await watch.merge(name, other, principal=_user()),)

    _print(_with_watch(said), output, whole=True)


@incident.command()
@click.argument("name")
@click.argument("alerts", nargs=-1, required=True)
@output_option
def split(name: str, alerts: tuple[str, ...], output: str) -> None:
    """Move ALERTS (fingerprints) to an incident of their own."""

    async def said(watch: Watch) -> tuple[Incident, ...]:
        return await watch.split(name, frozenset(alerts), principal=_user())

    _print(_with_watch(said), output, whole=True)


def _with_watch(act: Callable[[Watch], Awaitable[T]]) -> T:
    """Do something with the incidents on the ledger; a running `opsmith up` hears of it."""
    from opsmith import settings
    from opsmith.wiring.standing import standing_watch

    async def done() -> T:
        async with standing_watch(settings.load()) as watch:
            return await act(watch)

    return asyncio.run(done())


def _print(incidents: Sequence[Incident], output: str, *, whole: bool = False) -> None:
    from opsmith.http.shapes import IncidentShape

    if output == "json":
        shown = [IncidentShape.of(one).model_dump(mode="json") for one in incidents]
        click.echo(json.dumps(shown[0] if whole and len(shown) == 1 else shown, indent=2))
        return
    if not incidents:
        click.echo("There are no incidents.")
    for one in incidents:
        click.echo(_text(one, whole=whole))


def _text(one: Incident, *, whole: bool) -> str:
    verdict = one.verdict.sentence if one.verdict else "no verdict yet"
    alerts = f"{one.firing}/{one.size} firing"
    since = f"{one.opened_at:%Y-%m-%d %H:%M:%S}Z"
    lines = [f"{one.id}  {one.state:<9}  {since}  {alerts}  {one.title}", f"    {verdict}"]
    if one.after:
        lines.append(f"    soon after {one.after}")
    if whole:
        if one.verdict and one.verdict.path:
            lines.append("    path: " + " -> ".join(map(str, one.verdict.path)))
        if one.confirmed:
            lines.append(f"    confirmed: {one.confirmed.entity} {one.confirmed.kind}")
        lines += [f"    rejected: {blame.entity} {blame.kind}" for blame in one.rejected]
        lines += [f"    seen before: {name}" for name in one.similar]
        for member in one.members:
            state = "firing  " if member.firing else "resolved"
            lines.append(f"    {state}  {member.fingerprint}  {member.name} on {member.entity}")
    return "\n".join(lines)


def _user() -> str:
    """The user of the system, whatever the environment claims."""
    from opsmith.wiring.sessions import os_user

    return os_user().name
