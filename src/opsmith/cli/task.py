"""`opsmith task`: put tasks on the queue and see what becomes of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import click

from opsmith.cli.options import output_option
from opsmith.nouns.job import ENDED, JobState, Priority, Standing
from opsmith.nouns.session import Principal

if TYPE_CHECKING:
    from opsmith.wiring.tasks import TaskDesk

T = TypeVar("T")
# What waits for a task that failed for good leaves with this.
FAILED = 1


@click.group()
def task() -> None:
    """Put tasks on the queue for `opsmith worker`, and see what becomes of them."""


@task.command()
@click.argument("kind")
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--key", default="", help="A second task with the same key is the first one.")
@click.option(
    "--priority",
    type=click.Choice([str(one) for one in Priority]),
    default=str(Priority.NORMAL),
    show_default=True,
)
@click.option(
    "--in",
    "in_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Not before so many seconds from now.",
)
@click.option(
    "--attempts", type=click.IntRange(1, 100), default=5, show_default=True, help="Tries at most."
)
@click.option(
    "--keep",
    "keep_s",
    type=click.FloatRange(min=1),
    default=86_400.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the result stays.",
)
@click.option("--wait", is_flag=True, help="Wait for the end; exit code 1 unless it is done.")
@output_option
def run(*, kind: str, values: tuple[str, ...], wait: bool, output: str, **chosen: object) -> None:
    """Put a task of KIND: ping, ask, investigate, plan.run, logs.clean or forecast.

    What it is given follows as NAME=VALUE, a list by naming it again: `opsmith task run
    logs.clean target=service:cart target=service:web older_than_s=86400`.
    """
    from opsmith.wiring.act import now
    from opsmith.wiring.task_bodies import body_of
    from opsmith.wiring.tasks import Wanted

    more = _Chosen(**chosen)  # type: ignore[arg-type]  # click has checked each by its type
    wanted = Wanted(
        kind=kind,
        body=body_of(values),
        key=more.key,
        priority=Priority(more.priority),
        due=now() + timedelta(seconds=more.in_s) if more.in_s else None,
        most_attempts=more.attempts,
        keep_s=more.keep_s,
    )

    async def put(desk: TaskDesk, by: Principal) -> Standing:
        found = await desk.put(wanted, by=by)
        if wait:
            async for step in desk.follow(found.job.id, by=by):
                found = step
        return found

    found = _with_desk(put)
    _say(found, output)
    if wait and found.state is not JobState.DONE:
        raise click.exceptions.Exit(FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    key: str
    priority: str
    in_s: float
    attempts: int
    keep_s: float


@task.command("list")
@click.option("--state", type=click.Choice([str(one) for one in JobState]), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@output_option
def list_(state: str | None, limit: int, output: str) -> None:
    """The newest tasks; `--state dead` for those that failed for good."""
    from opsmith.wiring.tasks import task_json

    wanted = JobState(state) if state else None
    found = _with_desk(lambda desk, by: desk.newest(state=wanted, limit=limit, by=by))
    if output == "json":
        click.echo(json.dumps([task_json(one) for one in found], ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo("There are no such tasks.")
    for one in found:
        put_at = f"{one.put_at:%Y-%m-%d %H:%M:%S}Z"
        said = f"  {one.error}" if one.error else ""
        click.echo(f"{one.job.id}  {one.state:<9}  {put_at}  {one.job.kind}{said}")


@task.command()
@click.argument("name", metavar="TASK")
@output_option
def show(name: str, output: str) -> None:
    """One task with its result or its last error."""
    _say(_with_desk(lambda desk, by: desk.look(name, by=by)), output)


@task.command()
@click.argument("name", metavar="TASK")
@output_option
def cancel(name: str, output: str) -> None:
    """End a task that waits; ask the worker to stop one that runs."""
    _say(_with_desk(lambda desk, by: desk.cancel(name, by=by)), output)


@task.command()
@click.argument("name", metavar="TASK")
@output_option
def retry(name: str, output: str) -> None:
    """Let a dead or cancelled task wait again, with all its attempts."""
    _say(_with_desk(lambda desk, by: desk.retry(name, by=by)), output)


def _with_desk(do: Callable[[TaskDesk, Principal], Awaitable[T]]) -> T:
    from opsmith import settings
    from opsmith.wiring.sessions import os_user
    from opsmith.wiring.tasks import task_desk

    async def done() -> T:
        async with task_desk(settings.load()) as desk:
            return await do(desk, os_user())

    return asyncio.run(done())


def _say(found: Standing, output: str) -> None:
    from opsmith.wiring.tasks import task_json

    if output == "json":
        click.echo(json.dumps(task_json(found), ensure_ascii=False, indent=2))
        return
    click.echo(f"{found.job.id}  {found.state}  {found.job.kind}  {found.job.body}")
    if found.attempts:
        click.echo(f"tried {found.attempts} times, last by {found.worker}; trace {found.trace}")
    if found.error:
        click.echo(f"error: {found.error}")
    if found.result:
        click.echo(json.dumps(json.loads(found.result), ensure_ascii=False, indent=2))
    if found.state not in ENDED:
        click.echo("A worker does it: `opsmith worker`.", err=True)
