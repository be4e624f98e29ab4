"""`opsmith schedule`: tasks that are put again and again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from opsmith.cli.options import output_option
from opsmith.nouns.job import Priority, Schedule

if TYPE_CHECKING:
    from opsmith.wiring.tasks import TaskDesk

T = TypeVar("T")


@click.group()
def schedule() -> None:
    """Put tasks again and again, once a time however many workers run."""


@schedule.command()
@click.argument("name")
@click.argument("cron")
@click.argument("kind")
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--zone", default="", help="The time zone of CRON; OPSMITH_ZONE if unset.")
@click.option(
    "--priority",
    type=click.Choice([str(one) for one in Priority]),
    default=str(Priority.NORMAL),
    show_default=True,
)
def add(
    *, name: str, cron: str, kind: str, values: tuple[str, ...], zone: str, priority: str
) -> None:
    """Put a task of KIND at the times of CRON (minute hour day month weekday).

    `opsmith schedule add clean "*/5 * * * *" logs.clean target=service:cart older_than_s=86400`

    Of times that pass while no worker runs, the newest alone is made up for.
    """
    from opsmith import settings
    from opsmith.wiring.act import now
    from opsmith.wiring.sessions import os_user
    from opsmith.wiring.task_bodies import body_of

    wanted = Schedule(
        name=name,
        cron=cron,
        zone=zone or settings.load().zone,
        kind=kind,
        by=os_user(),
        last=now(),
        body=body_of(values),
        priority=Priority(priority),
    )
    comes = _with_desk(lambda desk: desk.schedule(wanted))
    click.echo(f"{name} comes next at {comes:%Y-%m-%d %H:%M:%S}Z.")


@schedule.command("list")
@output_option
def list_(output: str) -> None:
    """The schedules, with when each comes next."""
    found = _with_desk(lambda desk: desk.schedules())
    if output == "json":
        shown = [
            {
                "name": one.name,
                "cron": one.cron,
                "zone": one.zone,
                "kind": one.kind,
                "body": json.loads(one.body),
                "by": one.by.name,
                "last": one.last.isoformat(),
                "next": comes.isoformat() if comes else None,
            }
            for one, comes in found
        ]
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo("There are no schedules.")
    for one, comes in found:
        at = f"{comes:%Y-%m-%d %H:%M:%S}Z" if comes else "never"
        click.echo(f"{one.name}  {one.cron} ({one.zone})  next {at}  {one.kind} {one.body}")


@schedule.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a schedule; tasks that it put stay."""
    _with_desk(lambda desk: desk.drop(name))
    click.echo(f"{name} is removed.")


def _with_desk(do: Callable[[TaskDesk], Awaitable[T]]) -> T:
    from opsmith import settings
    from opsmith.wiring.tasks import task_desk

    async def done() -> T:
        async with task_desk(settings.load()) as desk:
            return await do(desk)

    return asyncio.run(done())
