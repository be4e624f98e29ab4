"""The commands that appear as `opsmith lab …`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TypedDict, Unpack

import click
import orjson

# A server did not answer; the same code as everywhere in opsmith.
NO_ANSWER = 3


class Wanted(TypedDict):
    """What a lab is like: its users, and whom it tells beside its own servers."""

    rps: float
    seed: int
    scrape: float
    otlp: str
    webhook: tuple[str, ...]


def _default_data() -> Path:
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(os.environ.get("OPSMITH_DATA_DIR") or home / "opsmith") / "lab"


class NoLabAnswers(click.ClickException):
    """The lab is not there."""

    exit_code = NO_ANSWER


def said_plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the lab's errors into one line and an exit code."""

    @wraps(command)
    def run(*args: object, **options: object) -> None:
        from opsmith_lab.running import LabError, NoLab

        try:
            command(*args, **options)
        except NoLab as error:
            raise NoLabAnswers(str(error)) from error
        except LabError as error:
            raise click.ClickException(str(error)) from error

    return run


data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="OPSMITH_LAB_DATA",
    default=_default_data,
    help="Folder that the running lab keeps its state in; `down` removes it.",
)
output_option = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")


@click.group()
def lab() -> None:
    """Run a real shop with faults on this machine."""


@lab.command()
@click.option("--rps", type=click.FloatRange(0.1, 500), default=12.0, help="Users a second.")
@click.option("--seed", type=int, default=1, help="Same seed, same users in the same order.")
@click.option(
    "--scrape", type=click.FloatRange(1, 60), default=5.0, help="Seconds between two scrapes."
)
@click.option("--live", is_flag=True, help="Let opsmith watch the shop, as a process beside it.")
@click.option("--otlp", default="", help="Send spans and log records to this OTLP/HTTP address.")
@click.option("--webhook", multiple=True, help="Tell this address of alerts too.")
@data_option
@said_plainly
def up(
    *,
    live: bool,
    data: Path,
    **wish: Unpack[Wanted],
) -> None:
    """Start the shop, its servers, its users, Prometheus and Alertmanager."""
    from opsmith_lab import running
    from opsmith_lab.layout import plan, watched

    planned = plan(
        data.absolute(),
        seed=wish["seed"],
        rps=wish["rps"],
        scrape_s=wish["scrape"],
        otlp=wish["otlp"],
        webhooks=wish["webhook"],
    )
    _show(running.start(watched(planned) if live else planned), "text")


@lab.command()
@data_option
@output_option
@said_plainly
def status(*, data: Path, output: str) -> None:
    """Say what runs and which faults were injected."""
    from opsmith_lab import running

    _show(running.status(running.find(data.absolute())), output)


@lab.command()
@output_option
def faults(*, output: str) -> None:
    """List the faults: whom they befall, the kind of cause, the alert and the path."""
    from opsmith_lab.faults.fault import path_of
    from opsmith_lab.faults.table import FAULTS

    rows = [
        {
            "name": fault.name,
            "entity": fault.target,
            "kind": fault.kind,
            "alert": fault.alert,
            "path": path_of(fault.target),
            "summary": fault.summary,
            "targets": list(fault.targets),
        }
        for fault in FAULTS.values()
    ]
    if output == "json":
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        return
    for row in rows:
        click.echo(f"{row['name']:16} {row['entity']:32} {row['kind']:18} {row['summary']}")


@lab.command()
@click.argument("name")
@click.option("--target", help="TYPE:NAME; see `opsmith lab faults -o json` for what is possible.")
@click.option("--after", type=float, default=0.0, help="Seconds from now until it begins.")
@click.option("--for", "lasting", type=float, default=120.0, help="Seconds that it lasts.")
@click.option("--strength", type=float, default=1.0, help="1 is the usual strength.")
@data_option
@said_plainly
def fault(
    *, name: str, target: str | None, after: float, lasting: float, strength: float, data: Path
) -> None:
    """Break the running shop with the fault NAME; returns at once."""
    from opsmith_lab import running
    from opsmith_lab.injector import NotPossible, injection

    try:
        wanted = injection(name, target=target, strength=strength, after_s=after, for_s=lasting)
    except NotPossible as error:
        raise click.UsageError(str(error)) from error
    body = {
        "name": name,
        "target": wanted.target,
        "strength": strength,
        "after_s": after,
        "for_s": lasting,
    }
    running.ask(running.find(data.absolute()), "POST", "/faults", body)
    click.echo(f"{name} befalls {wanted.target} in {after:g} s for {lasting:g} s")


@lab.command()
@click.argument("entity")
@click.argument("action", required=False)
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@data_option
@output_option
@said_plainly
def act(
    *, entity: str, action: str | None, values: tuple[str, ...], data: Path, output: str
) -> None:
    """Do ACTION to ENTITY of the running shop; without ACTION say its state and what it knows.

    `act service:payments configure pool_size=16`, `act cache:valkey flush`.
    """
    from urllib.parse import quote

    from opsmith_lab import running

    path = f"/entities/{quote(entity, safe=':')}"
    found = running.find(data.absolute())
    if action is None:
        answer = running.ask(found, "GET", path)
    else:
        pairs = [value.partition("=") for value in values]
        if not all(equals for _, equals, _ in pairs):
            raise click.UsageError("values are written NAME=VALUE.")
        body = {name: value for name, _, value in pairs}
        answer = running.ask(found, "POST", f"{path}/{quote(action, safe='')}", body)
    if output == "json":
        click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
        return
    for key, value in answer.items():
        click.echo(f"{key:18} {value}")


@lab.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--truth",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append the true cause as a JSON line to this file, outside the bundle.",
)
@click.option(
    "--history", type=click.FloatRange(60), default=900.0, help="Seconds to look back at most."
)
@click.option(
    "--keep",
    type=click.FloatRange(0.01, 1),
    default=0.3,
    help="Share of ordinary traces to keep; failed and slow ones are all kept.",
)
@data_option
@said_plainly
def record(*, folder: Path, truth: Path | None, history: float, keep: float, data: Path) -> None:
    """Wait until the running fault is over, then write an incident bundle to FOLDER."""
    from opsmith_lab import running
    from opsmith_lab.record import Wish, record_incident

    wish = Wish(folder=folder.absolute(), truth=truth, history_s=history, keep=keep)
    for line in record_incident(running.find(data.absolute()), wish):
        click.echo(line, err=True)
    click.echo(folder)


@lab.command()
@data_option
@said_plainly
def down(*, data: Path) -> None:
    """Stop every process of the lab and remove its folder."""
    from opsmith_lab import running

    running.stop(running.find(data.absolute()))


def _show(state: dict[str, object], output: str) -> None:
    if output == "json":
        click.echo(orjson.dumps(state, option=orjson.OPT_INDENT_2))
        return
    for key in ("shop", "prometheus", "alertmanager", "opsmith"):
        if state[key]:
            click.echo(f"{key:14} {state[key]}")
    told = state["opsmith_environment"]
    if isinstance(told, dict):
        words = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in told.items())
        click.echo(f"export {words}")
    processes = state["processes"]
    if isinstance(processes, dict):
        for name, process in processes.items():
            mark = "runs" if process["running"] else "is down"
            click.echo(f"{name:14} {mark}, pid {process['pid']}, restarts {process['restarts']}")
    injections = state["injections"]
    for entry in injections if isinstance(injections, list) else ():
        click.echo(
            f"fault {entry['fault']} on {entry['entity']} from {entry['began_at'] or 'soon'}"
        )
