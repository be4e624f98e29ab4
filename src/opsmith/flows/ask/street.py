"""The street of a question: checked tasks in their order, each to its owner, conditions kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from opsmith.answer.words import slots_text
from opsmith.errors import OpsmithError
from opsmith.flows.ask.anomalies import detect_anomaly
from opsmith.flows.ask.config import compare_config
from opsmith.flows.ask.figures import query_metric
from opsmith.flows.ask.health import check_health
from opsmith.flows.ask.incidents import diagnose_incident, explain_alert
from opsmith.flows.ask.logs import search_logs
from opsmith.flows.ask.outlook import forecast_metric
from opsmith.flows.ask.records import list_tasks
from opsmith.flows.ask.reports import create_report
from opsmith.flows.ask.resources import query_resource
from opsmith.flows.ask.topology import show_topology
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Answer, AnswerStatus, Finding
from opsmith.nouns.task import Risk, Task

Owner = Callable[[Task, World], Awaitable[Answer]]

READING: Mapping[str, Owner] = {
    "query_metric": query_metric,
    "forecast_metric": forecast_metric,
    "detect_anomaly": detect_anomaly,
    "diagnose_incident": diagnose_incident,
    "explain_alert": explain_alert,
    "search_logs": search_logs,
    "show_topology": show_topology,
    "check_health": check_health,
    "compare_config": compare_config,
    "create_report": create_report,
    "list_tasks": list_tasks,
    "query_resource": query_resource,
}
# Running a command needs the act room even when the command only looks.
CHANGING = frozenset(
    [
        "restart_service",
        "scale_service",
        "rollback_release",
        "drain_node",
        "silence_alert",
        "clean_logs",
        "run_command_on_hosts",
    ]
)


async def answer(tasks: tuple[Task, ...], world: World) -> AsyncIterator[Answer]:
    """Each task's answer as soon as it is there, in an order that keeps every dependency.

    A task whose condition did not hold is skipped, and so is all that waits for it; a finding
    that cannot be told is never taken for one that holds.
    """
    done: dict[int, Answer] = {}
    while len(done) < len(tasks):
        place = next(
            n
            for n, task in enumerate(tasks)
            if n not in done and all(before in done for before in task.depends_on)
        )
        task = tasks[place]
        before = [done[n] for n in task.depends_on]
        done[place] = _stopped(task, before, world) or await _owned(task, before, world)
        yield done[place]


async def _owned(task: Task, before: list[Answer], world: World) -> Answer:
    """Ask the owner; what goes wrong there is this task's answer, not the whole question's end."""
    if task.intent in CHANGING or task.risk is not Risk.READ:
        return _plan(task, before, world)
    owner = READING.get(task.intent)
    if owner is None:
        said = world.speech.say("words.no_owner")
        return Answer(task=task, status=AnswerStatus.FAILED, said=(said,))
    try:
        return await owner(task, world)
    except OpsmithError as error:
        return Answer(task=task, status=AnswerStatus.FAILED, said=(str(error),))


def _plan(task: Task, before: list[Answer], world: World) -> Answer:
    speech = world.speech
    said = [speech.say("plan.step", intent=task.intent, risk=task.risk, slots=slots_text(task))]
    condition = task.slots.get("condition")
    if condition is not None and before:
        finding = speech.phrase("finding", str(condition))
        said.append(speech.say("plan.because", finding=finding))
    said.append(speech.say("plan.waits"))
    return Answer(task=task, status=AnswerStatus.PLAN, said=tuple(said))


def _stopped(task: Task, before: list[Answer], world: World) -> Answer | None:
    """Why a task is not tried, else None. `failure` waits for just that; others need a finding."""
    condition = task.slots.get("condition")
    failed = [one for one in before if one.status is AnswerStatus.FAILED]
    if condition == "failure":
        return None if failed else _skipped(task, world, "no_breach")
    if failed:
        return _skipped(task, world, "failed")
    if any(one.status is AnswerStatus.SKIPPED for one in before):
        return _skipped(task, world, "no_breach")
    if condition is None:
        return None
    findings = [one.finding for one in before]
    if any(finding is None for finding in findings):
        return _skipped(task, world, "unknown")
    holds = any(finding is Finding(str(condition)) for finding in findings)
    return None if holds else _skipped(task, world, "no_breach")


def _skipped(task: Task, world: World, why: str) -> Answer:
    said = world.speech.say(f"skip.{why}")
    return Answer(task=task, status=AnswerStatus.SKIPPED, said=(said,))
