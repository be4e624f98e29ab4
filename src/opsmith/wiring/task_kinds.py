"""The kinds of tasks: what a worker does for each, over one open house."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import orjson

from opsmith.errors import BadInput, Conflict
from opsmith.flows.change_control import Proposal
from opsmith.nouns.diagnosis import PathWeights
from opsmith.nouns.entity import Entity
from opsmith.nouns.forecast import LEVELS, Known, Outlook
from opsmith.nouns.job import Context, Shard
from opsmith.nouns.plan import (
    OPEN,
    Denied,
    Dossier,
    NeedsApproval,
    Order,
    PlanState,
)
from opsmith.nouns.session import HOUSE
from opsmith.settings import Settings
from opsmith.wiring.act import ChangeControl, now
from opsmith.wiring.act import Desk as ActDesk
from opsmith.wiring.checks import checks_of
from opsmith.wiring.desk import Desk
from opsmith.wiring.task_bodies import (
    AskBody,
    CleanBody,
    ForecastBody,
    InvestigateBody,
    PingBody,
    PlanBody,
    split,
)

ASK_S = 120.0
INVESTIGATE_S = 900.0
FORECAST_S = 300.0
# The longest check, and the time that places to notify may take.
CHECK_S = 180.0
# The longest plan: some actions of two minutes each, and ten minutes of watching.
PLAN_S = 3600.0
# A fortnight shows a week's rhythm twice.
HISTORY = timedelta(days=14)
# A schedule does not ask people for the same thing again while they have not answered yet.
ASKS_AGAIN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind, as `flows.pipeline.kind.Kind` wants it."""

    name: str
    deadline_s: float
    act: Callable[[str, Context], Awaitable[dict[str, object]]]
    interruptible: bool = True

    def split(self, body: str) -> tuple[Shard, ...]:
        """As its body says."""
        return split(self.name, body)

    async def do(self, shard: Shard, context: Context) -> str:
        """Act on the shard's body."""
        return orjson.dumps(await self.act(shard.body, context)).decode()


def kinds(
    settings: Settings, *, house: ActDesk, desk: Desk, bundles: Sequence[Path]
) -> Mapping[str, Work]:
    """All kinds. bundles: folders under which recorded incidents may be looked into."""
    control = house.control
    made = [
        Work(name="ping", deadline_s=601.0, act=_ping),
        Work(name="ask", deadline_s=ASK_S, act=partial(_ask, desk)),
        Work(
            name="investigate",
            deadline_s=INVESTIGATE_S,
            act=partial(_investigate, settings, bundles),
        ),
        Work(
            name="plan.run",
            deadline_s=PLAN_S,
            act=partial(_run_plan, control),
            interruptible=False,
        ),
        Work(
            name="logs.clean", deadline_s=PLAN_S, act=partial(_clean, control), interruptible=False
        ),
        Work(name="http.check", deadline_s=CHECK_S, act=checks_of(settings, house).act),
        Work(name="forecast", deadline_s=FORECAST_S, act=partial(_forecast, settings)),
    ]
    return {one.name: one for one in made}


async def _ping(body: str, context: Context) -> dict[str, object]:
    wait_s = PingBody.model_validate_json(body).wait_s
    await asyncio.sleep(wait_s)
    return {"pong": True, "trace": context.trace, "attempt": context.attempt}


async def _ask(desk: Desk, body: str, context: Context) -> dict[str, object]:
    """Answers; what would change something becomes a plan, which is not carried out."""
    asked = AskBody.model_validate_json(body)
    session = asked.session or context.session
    whole: dict[str, object] = {}
    async for told in desk.ask(asked.question, session=session, principal=context.by):
        whole = told.body
    return whole


async def _investigate(
    settings: Settings, bundles: Sequence[Path], body: str, context: Context
) -> dict[str, object]:
    """A report on one folder, which must lie where recorded incidents may lie.

    What lies in the data folder is of the house's own incidents.
    """
    from opsmith import wiring

    roots = [one for one in bundles if one != settings.data_dir or context.by.sees(HOUSE)]
    (named,) = InvestigateBody.model_validate_json(body).bundle
    folder = await asyncio.to_thread(Path(named).resolve)
    if not any(folder.is_relative_to(root.resolve()) for root in roots):
        raise BadInput(
            f"{named[:200]!r} is in none of the folders that this worker may read.",
            hint="Start it with `opsmith worker --bundles FOLDER`.",
        )
    report = await asyncio.to_thread(
        wiring.investigate, folder, top=5, path_weights=PathWeights.BOTTLENECK
    )
    read = orjson.loads(report.json)
    return read if isinstance(read, dict) else {"report": read}


async def _run_plan(control: ChangeControl, body: str, context: Context) -> dict[str, object]:
    return await _carry_out(control, PlanBody.model_validate_json(body).plan, context)


async def _clean(control: ChangeControl, body: str, context: Context) -> dict[str, object]:
    """A plan by policy: carried out when policy allows it by itself, else it waits for people.

    Where nothing is old enough there is nothing to plan.
    """
    wanted = CleanBody.model_validate_json(body)
    order = Order(
        action="logs.quarantine" if wanted.aside else "logs.clean",
        target=Entity.parse(wanted.target[0]),
        values={"older_than_s": wanted.older_than_s},
    )
    dossier = await _asked_already(control, order, context)
    if dossier is None:
        found = await control.actions.checked(order).dry_run(order, control.ways)
        if found.before["files"] == 0:
            return {"plan": "", "state": "done", "says": "No file is old enough."}
        proposal = Proposal(orders=(order,), why=f"task {context.key}")
        dossier = await control.propose(proposal, by=context.by)
    judgement = dossier.judgement
    if isinstance(judgement, NeedsApproval):
        judgement = await control.judged(dossier, by=context.by)
    if isinstance(judgement, Denied):
        return _told(dossier, "refused", judgement.reason)
    if isinstance(judgement, NeedsApproval) and dossier.state is not PlanState.APPROVED:
        return _told(dossier, "waits", _waits(dossier, judgement, by=context.by.name))
    return await _carry_out(control, dossier.plan.id, context)


def _waits(dossier: Dossier, judgement: NeedsApproval, *, by: str) -> str:
    """For whom it waits, and the rule of policy by which the next one would not."""
    (step,) = dossier.plan.steps
    when = {
        "actions": [step.order.action],
        "targets": [str(step.order.target)],
        "principals": [by],
    }
    rule = {"name": f"{step.order.action} of {step.order.target}", "when": when, "then": "allow"}
    return (
        f"The rule {judgement.rule!r} wants {judgement.approvers} to say yes:"
        f" `opsmith approve {dossier.plan.id}`. To let it run by itself, put this rule before that"
        f" one: {orjson.dumps(rule).decode()}"
    )


async def _asked_already(control: ChangeControl, order: Order, context: Context) -> Dossier | None:
    """The plan that this very task made before, or one like it that still waits for people."""
    for known in await control.plans(by=context.by):
        (step, *more) = known.plan.steps
        by = (known.plan.made_by, known.plan.tenant) == (context.by.name, context.by.tenant)
        same = step.order == order and not more and by
        if same and known.plan.why == f"task {context.key}":
            return known
        age = now() - known.plan.made_at
        if same and known.state in OPEN and age < ASKS_AGAIN_AFTER:
            return known
    return None


async def _carry_out(control: ChangeControl, name: str, context: Context) -> dict[str, object]:
    """Run a plan once: one that came to an end before is told as it ended.

    Raises `Conflict` for one that was begun and never ended: that is for a person.
    """
    dossier = await control.plan(name, by=context.by)
    if dossier.state is PlanState.RUNNING:
        raise Conflict(
            f"The plan {name} was begun and has not ended.",
            hint=f"See `opsmith plans show {name}`; `opsmith undo {name}` takes it back.",
        )
    if dossier.state not in OPEN:
        return _told(dossier, str(dossier.state), dossier.notes[-1] if dossier.notes else "")
    answer = await control.run(name, by=context.by)
    if isinstance(answer, Denied):
        return _told(dossier, "refused", answer.reason)
    return _told(dossier, str(answer.state), answer.says)


async def _forecast(settings: Settings, body: str, context: Context) -> dict[str, object]:
    """Forecasts of the series that one query gives."""
    from opsmith.flows.predict import Question, fetch, look_ahead
    from opsmith.wiring.sources import open_metrics

    del context
    wanted = ForecastBody.model_validate_json(body)
    opened = open_metrics(settings)
    if opened is None:
        raise BadInput("No metrics server is known.", hint="Set OPSMITH_PROMETHEUS_URL.")
    async with aclosing(opened) as metrics:
        series = await fetch(metrics, wanted.query[0], now=now(), history=HISTORY)
    question = Question(
        horizon=timedelta(seconds=wanted.horizon_s),
        threshold=wanted.threshold,
        model="blend",
        known=Known(),
    )
    found = await look_ahead(series, question)
    return {"series": [_outlook(one) for one in found]}


def _outlook(one: Outlook) -> dict[str, object]:
    made = one.forecast
    return {
        "series": made.key,
        "unit": made.unit,
        "model": made.model,
        "times_s": made.times_s.tolist(),
        "levels": list(LEVELS),
        "quantiles": made.quantiles.tolist(),
        "crossing": one.breach is not None,
        "said": list(one.said),
    }


def _told(dossier: Dossier, state: str, says: str) -> dict[str, object]:
    return {"plan": dossier.plan.id, "state": state, "says": says}
