"""The street of a question: checked tasks in their order, each to its owner, conditions kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from opsmith.answer.words import slots_text
from opsmith.errors import OpsmithError
from opsmith.flows.ask.anomalies import detect_anomaly
from opsmith.flows.ask.changes import Wish, planned
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
from opsmith.nouns.task import Risk, SlotValue, Task

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
_FAILED = frozenset({AnswerStatus.FAILED, AnswerStatus.DENIED})
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

    What only looks comes first; the changes that are left then become one plan. A task whose
    condition did not hold is skipped, and so is all that waits for it; a finding that cannot be
    told is never taken for one that holds, and nothing comes after a change that was not made.
    """
    done: dict[int, Answer] = {}
    while len(done) < len(tasks):
        look = _next_look(tasks, done)
        if look is not None:
            task = tasks[look]
            found = {look: _stopped(task, _before(task, done), world) or await _told(task, world)}
        else:
            found = await _changed(tasks, done, world)
        done |= found
        for one in found.values():
            yield one


def _next_look(tasks: tuple[Task, ...], done: Mapping[int, Answer]) -> int | None:
    """The first task that only looks and waits for nothing any more."""
    return next(
        (
            n
            for n, task in enumerate(tasks)
            if n not in done and not changes(task) and all(d in done for d in task.depends_on)
        ),
        None,
    )


def changes(task: Task) -> bool:
    """Whether change control has a say; running a command has, even one that only looks."""
    return task.intent in CHANGING or task.risk is not Risk.READ


async def _told(task: Task, world: World) -> Answer:
    """Ask the owner; what goes wrong there is this task's answer, not the whole question's end."""
    owner = READING.get(task.intent)
    if owner is None:
        said = world.speech.say("words.no_owner")
        return Answer(task=task, status=AnswerStatus.FAILED, said=(said,))
    try:
        return await owner(task, world)
    except OpsmithError as error:
        return Answer(task=task, status=AnswerStatus.FAILED, said=(str(error),))


async def _changed(
    tasks: tuple[Task, ...], done: Mapping[int, Answer], world: World
) -> dict[int, Answer]:
    """Every change that can be planned now: skipped by its condition, or in one plan."""
    together: list[int] = []
    grown = True
    while grown:
        fresh = [n for n in range(len(tasks)) if _joins(n, tasks, done, together)]
        together += fresh
        grown = bool(fresh)
    found: dict[int, Answer] = {}
    wishes: dict[int, Wish] = {}
    for place in together:
        task = tasks[place]
        before = _before(task, {**done, **found})
        stopped = _stopped(task, before, world)
        if stopped is not None:
            found[place] = stopped
        else:
            wishes[place] = Wish(task=task, before=tuple(before))
    return found | (await planned(wishes, world) if wishes else {})


def _joins(
    place: int, tasks: tuple[Task, ...], done: Mapping[int, Answer], together: Sequence[int]
) -> bool:
    """Whether a change waits for nothing but earlier steps of the same plan."""
    task = tasks[place]
    if place in done or place in together or not changes(task):
        return False
    waits = [needed for needed in task.depends_on if needed not in done]
    return all(needed in together for needed in waits) and not (waits and _condition(task))


def _before(task: Task, done: Mapping[int, Answer]) -> list[Answer]:
    return [done[needed] for needed in task.depends_on if needed in done]


def _condition(task: Task) -> SlotValue | None:
    return task.slots.get("condition")


def _stopped(task: Task, before: list[Answer], world: World) -> Answer | None:
    """Why a task is not tried, else None. `failure` waits for just that; others need a finding."""
    condition = _condition(task)
    waiting = [one.plan.plan.id for one in before if one.status is AnswerStatus.PLAN and one.plan]
    if waiting:
        return _skipped(task, world, "waits", plan=waiting[0])
    failed = any(one.status in _FAILED for one in before)
    if condition == "failure":
        return None if failed else _skipped(task, world, "no_breach")
    if failed:
        return _skipped(task, world, "failed")
    skipped = any(one.status is AnswerStatus.SKIPPED for one in before)
    why = "no_breach" if skipped else _unmet(condition, before)
    return _skipped(task, world, why) if why else None


def _unmet(condition: SlotValue | None, before: list[Answer]) -> str:
    """Why a finding does not let a task go on; empty when it does."""
    if condition is None:
        return ""
    findings = [one.finding for one in before]
    if any(finding is None for finding in findings):
        return "unknown"
    return "" if Finding(str(condition)) in findings else "no_breach"


def _skipped(task: Task, world: World, why: str, *, plan: str = "") -> Answer:
    said = world.speech.say(f"skip.{why}", intent=task.intent, slots=slots_text(task), id=plan)
    return Answer(task=task, status=AnswerStatus.SKIPPED, said=(said,))
