"""The command `opsmith`: a table of commands, each loaded when it is called."""

from __future__ import annotations

from collections.abc import Callable

import click

from opsmith.cli.failure import told


def _completion() -> click.Command:
    from opsmith.cli.completion import completion

    return completion


def _doctor() -> click.Command:
    from opsmith.cli.doctor import doctor

    return doctor


def _bundle() -> click.Command:
    from opsmith.cli.bundle import bundle

    return bundle


def _graph() -> click.Command:
    from opsmith.cli.graph import graph

    return graph


def _incident() -> click.Command:
    from opsmith.cli.incident import incident

    return incident


def _investigate() -> click.Command:
    from opsmith.cli.investigate import investigate

    return investigate


def _logs() -> click.Command:
    from opsmith.cli.logs import logs

    return logs


def _parse() -> click.Command:
    from opsmith.cli.parse import parse

    return parse


def _intent() -> click.Command:
    from opsmith.cli.intent import intent

    return intent


def _schema() -> click.Command:
    from opsmith.cli.schema import schema

    return schema


def _model() -> click.Command:
    from opsmith.cli.model import model

    return model


def _maintenance() -> click.Command:
    from opsmith.cli.maintenance import maintenance

    return maintenance


def _watch() -> click.Command:
    from opsmith.cli.watch import watch

    return watch


def _topology() -> click.Command:
    from opsmith.cli.topology import topology

    return topology


def _up() -> click.Command:
    from opsmith.cli.up import up

    return up


def _forecast() -> click.Command:
    from opsmith.cli.forecast import forecast

    return forecast


def _evaluate() -> click.Command:
    from opsmith.cli.evaluate import evaluate

    return evaluate


def _ranker() -> click.Command:
    from opsmith.cli.ranker import ranker

    return ranker


def _detect() -> click.Command:
    from opsmith.cli.detect import detect

    return detect


def _anomaly() -> click.Command:
    from opsmith.cli.detect import anomaly

    return anomaly


def _plan() -> click.Command:
    from opsmith.cli.plan import plan

    return plan


def _plans() -> click.Command:
    from opsmith.cli.plan import plans

    return plans


def _approve() -> click.Command:
    from opsmith.cli.plan import approve

    return approve


def _reject() -> click.Command:
    from opsmith.cli.plan import reject

    return reject


def _run() -> click.Command:
    from opsmith.cli.plan import run

    return run


def _autonomy() -> click.Command:
    from opsmith.cli.autonomy import autonomy

    return autonomy


def _runbook() -> click.Command:
    from opsmith.cli.autonomy import runbook

    return runbook


def _replay() -> click.Command:
    from opsmith.cli.replay import replay

    return replay


def _undo() -> click.Command:
    from opsmith.cli.plan import undo

    return undo


def _actions() -> click.Command:
    from opsmith.cli.plan import actions

    return actions


def _ask() -> click.Command:
    from opsmith.cli.ask import ask

    return ask


def _session() -> click.Command:
    from opsmith.cli.session import session

    return session


def _principal() -> click.Command:
    from opsmith.cli.principal import principal

    return principal


def _audit() -> click.Command:
    from opsmith.cli.audit import audit

    return audit


def _task() -> click.Command:
    from opsmith.cli.task import task

    return task


def _schedule() -> click.Command:
    from opsmith.cli.schedule import schedule

    return schedule


def _checks() -> click.Command:
    from opsmith.cli.checks import checks

    return checks


def _worker() -> click.Command:
    from opsmith.cli.worker import worker

    return worker


# Name, one line for `opsmith --help`, and where the command is; nothing is imported before use.
COMMANDS: dict[str, tuple[str, Callable[[], click.Command]]] = {
    "actions": ("List what opsmith can do, with risk and undo.", _actions),
    "ask": ("Answer a sentence, or talk.", _ask),
    "audit": ("Read what was asked and done.", _audit),
    "principal": ("Let people and programs in over HTTP.", _principal),
    "session": ("See and go on with conversations.", _session),
    "anomaly": ("Say what an anomaly really was.", _anomaly),
    "approve": ("Say yes to a plan.", _approve),
    "autonomy": ("See and set how far actions may go by themselves.", _autonomy),
    "bundle": ("Check a folder of recorded telemetry, print its schemas.", _bundle),
    "checks": ("See how the checked addresses stand.", _checks),
    "completion": ("Print the completion script of a shell.", _completion),
    "detect": ("Tell what series never did before.", _detect),
    "doctor": ("Say what is installed, reachable and missing.", _doctor),
    "evaluate": ("Try opsmith on history that you have kept.", _evaluate),
    "forecast": ("Say what series will do and when they cross a threshold.", _forecast),
    "graph": ("Ask what is known of incidents as a graph, fill it, write it out.", _graph),
    "incident": ("See incidents, confirm, reject, merge and split them.", _incident),
    "investigate": ("Find the root cause of a recorded incident.", _investigate),
    "plan": ("Rehearse a change and ask policy about it.", _plan),
    "plans": ("See the plans and what came of them.", _plans),
    "logs": ("Search and follow logs.", _logs),
    "ranker": ("Show the ranking weights, or refit them on solved incidents.", _ranker),
    "intent": ("Train, try and swap what recognises intents.", _intent),
    "model": ("Choose, list and try the language model.", _model),
    "parse": ("Show how a sentence is understood as tasks.", _parse),
    "reject": ("Say no to a plan.", _reject),
    "replay": ("Make an incident's report again and compare it.", _replay),
    "run": ("Carry an approved plan out, verify it, undo what did not help.", _run),
    "runbook": ("See and check what is done about which fault.", _runbook),
    "schedule": ("Put tasks again and again.", _schedule),
    "schema": ("Check, list and show task schemas.", _schema),
    "task": ("Put tasks on the queue, see what becomes of them.", _task),
    "undo": ("Take back what a plan did.", _undo),
    "maintenance": ("Set times in which alerts wake nobody.", _maintenance),
    "watch": ("Show incidents, anomalies and early warnings as they come.", _watch),
    "topology": ("See who calls whom.", _topology),
    "worker": ("Take tasks off the queue and do them.", _worker),
    "up": ("Watch beside Prometheus and Alertmanager.", _up),
}

PLUGIN_GROUP = "opsmith.commands"


class LazyGroup(click.Group):
    """A group whose commands are imported only when one of them is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names: ours and those that other distributions add by entry point."""
        del ctx
        from importlib.metadata import entry_points

        return sorted({*COMMANDS, *(entry.name for entry in entry_points(group=PLUGIN_GROUP))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command, ours first."""
        del ctx
        if cmd_name in COMMANDS:
            return COMMANDS[cmd_name][1]()
        from importlib.metadata import entry_points

        for entry in entry_points(group=PLUGIN_GROUP, name=cmd_name):
            command = entry.load()
            if isinstance(command, click.Command):
                return command
        return None

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; the one place of this face where everything is caught."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the top of the face
            ctx.exit(told(error, ctx))

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
    """Run the command and leave with its exit code."""
    opsmith(prog_name="opsmith")
