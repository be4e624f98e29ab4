"""The command `opsmith`: a table of commands, each loaded when it is called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import entry_points

import click

from opsmith.errors import OpsmithError


def _doctor() -> click.Command:
    from opsmith.cli.doctor import doctor

    return doctor


def _bundle() -> click.Command:
    from opsmith.cli.bundle import bundle

    return bundle


# Name, one line for `opsmith --help`, and where the command is; nothing is imported before use.
COMMANDS: dict[str, tuple[str, Callable[[], click.Command]]] = {
    "bundle": ("Check a folder of recorded telemetry, print its schemas.", _bundle),
    "doctor": ("Say what is installed, reachable and missing.", _doctor),
}

PLUGIN_GROUP = "opsmith.commands"


class LazyGroup(click.Group):
    """A group whose commands are imported only when one of them is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names: ours and those that other distributions add by entry point."""
        del ctx
        return sorted({*COMMANDS, *(entry.name for entry in entry_points(group=PLUGIN_GROUP))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command, ours first."""
        del ctx
        if cmd_name in COMMANDS:
            return COMMANDS[cmd_name][1]()
        for entry in entry_points(group=PLUGIN_GROUP, name=cmd_name):
            command = entry.load()
            if isinstance(command, click.Command):
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        rows = [
            (name, COMMANDS[name][0] if name in COMMANDS else "Added by another package.")
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="opsmith")
def opsmith() -> None:
    """AI-driven operations on one machine or many.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 a server did not answer, 4 refused by policy.
    """


def main() -> None:
    """Run the command; the one place of this face where everything is caught."""
    try:
        opsmith(prog_name="opsmith")
    except OpsmithError as error:
        click.echo(f"opsmith: {error}", err=True)
        sys.exit(error.exit_code)
