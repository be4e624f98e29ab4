"""Ask, where something would be changed: one plan a sentence, under change control, or why not."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from builders.cluster import EmulatedCluster, served
from builders.labs import rehearsed_lab

from opsmith.answer.catalogue import load as load_metrics
from opsmith.answer.showing import as_json, as_text, outcome
from opsmith.answer.words import Speech
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.backends.metrics.recorded import RecordedMetrics
from opsmith.errors import BadInput
from opsmith.flows.ask.street import answer
from opsmith.flows.ask.world import Streets, World
from opsmith.ingest.bundle_metrics import scraped
from opsmith.nouns.answer import AnswerStatus, Language, Reply
from opsmith.nouns.plan import Denied, NeedsApproval, PlanState
from opsmith.nouns.session import Principal, Role
from opsmith.nouns.task import Risk, Task
from opsmith.parse.dialogue import State
from opsmith.parse.loading import builtin_schemas
from opsmith.plan.order_table import table, table_from
from opsmith.settings import Settings
from opsmith.wiring.act import actions
from opsmith.wiring.ask import Asker, AskSources, reply_to
from opsmith.wiring.ground import changes_by

ANN = Principal(name="ann")
SERIES = scraped(Path(__file__).parents[2] / "examples" / "incidents" / "bad-deploy")
END_S = max(float(one.times_s[-1]) for one in SERIES if one.times_s.size)
NAMES = {
    "services": ["cart", "payments", "checkout", "postgres", "orders", "web"],
    "hosts": ["web-1", "web-2"],
    "alerts": ["CheckoutErrors"],
}


@pytest.fixture
async def asker(tmp_path: Path) -> AsyncIterator[Asker]:
    """A house with a lab, two hosts over SSH, logs, and an Alertmanager that nobody asks."""
    ssh = {"address": "127.0.0.1", "port": 1, "user": "ops", "key_file": "/k", "known_hosts": "/h"}
    unit = {"systemd": {"unit": "web.service"}}
    (tmp_path / "logs").mkdir()
    (tmp_path / "lab").mkdir()
    async with rehearsed_lab(tmp_path / "lab") as lab:
        told = {
            "lab": str(lab.data),
            "targets": [
                {"target": "host:web-1", "ssh": ssh, "logs": {"folder": str(tmp_path / "logs")}},
                {
                    "target": "service:web-prod",
                    "name": "web",
                    "env": "prod",
                    **unit,
                },
                {
                    "target": "service:web-test",
                    "name": "web",
                    "env": "staging",
                    **unit,
                },
            ],
            "commands": {"uptime": {"argv": ["uptime"], "changes": False}},
        }
        (tmp_path / "targets.json").write_text(json.dumps(told))
        (tmp_path / "names.json").write_text(json.dumps(NAMES))
        settings = Settings(data_dir=tmp_path, targets_file=tmp_path / "targets.json")
        ledger = SqliteLedger(tmp_path / "ledger.db")
        sources = AskSources(inventory=tmp_path / "names.json")
        async with Asker(settings, sources, ledger=ledger) as found:
            yield found
        ledger.close()


async def asked(asker: Asker, text: str, *, by: Principal = ANN) -> Reply:
    return (await reply_to(asker, text, State(), by=by))[0]


def test_every_row_of_the_table_fits_its_task_and_its_action() -> None:
    schemas, known = builtin_schemas(), actions()
    for intent, rows in table().items():
        for row in rows:
            properties = known.get(row.action).spec.inputs["properties"]
            slots = {row.slot, *row.placed, *row.heeds, *(one.slot for one in row.values.values())}
            assert slots - {""} <= set(schemas[intent].slots), (intent, row.action)
            assert set(row.values) <= set(properties), row.action  # type: ignore[call-overload]
            assert set(row.kinds) <= known.get(row.action).spec.targets


async def test_a_change_becomes_a_plan_that_tells_all_one_must_know(asker: Asker) -> None:
    reply = await asked(asker, "restart payments")
    text, (dossier,) = as_text(reply), reply.plans

    assert outcome(reply) == "plan"
    assert isinstance(dossier.judgement, NeedsApproval)
    assert (dossier.plan.made_by, dossier.state) == ("ann", PlanState.PROPOSED)
    for part in (
        "waits for approval [change]",
        "service.restart on service:payments",
        "undo: none",
        "it started anew and runs",
        "one person",
        f"opsmith approve {dossier.plan.id}",
    ):
        assert part in text, text
    told = as_json(reply)["answers"]
    assert told[0]["plan"]["id"] == dossier.plan.id  # type: ignore[index]


async def test_the_kind_of_a_target_is_found_where_it_is(asker: Asker) -> None:
    (dossier,) = (await asked(asker, "重启 postgres")).plans

    assert [str(one) for one in dossier.plan.targets] == ["database:postgres"]


async def test_changes_of_one_sentence_are_one_plan_and_what_follows_waits(asker: Asker) -> None:
    reply = await asked(asker, "restart payments and cart, then check the health of cart")
    (dossier,) = reply.plans

    assert [str(one) for one in dossier.plan.targets] == ["service:payments", "service:cart"]
    assert [one.status for one in reply.answers] == ["plan", "plan", "skipped"]
    assert f"step 2 of {dossier.plan.id}" in as_text(reply)
    assert f"after {dossier.plan.id}" in as_text(reply)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scale checkout to 6 replicas", "workload: deployment/checkout}"),
        ("drain web-1", "kubernetes: {cluster: CLUSTER, node: web-1}"),
        ("silence the CheckoutErrors alert for 30 minutes", "alertmanager: {url:"),
        ("restart cart in staging", "does not say that cart is in env=staging"),
        ("restart web in dr", "knows: prod, staging"),
        ("restart web", "service:web-prod (env prod), service:web-test (env staging)"),
        ("rolling restart of payments", "cannot heed strategy=rolling"),
        ("delete logs on web-1", "older_than is missing"),
        (
            "delete logs in /etc older than 7 days on web-1",
            "does not say that web-1 is in path=/etc",
        ),
        ("run 'rm /tmp/x' on web-1", "Known: uptime"),
        ("roll cart back to v7", "cannot heed revision=v7"),
    ],
)
async def test_what_stands_in_the_way_is_said_and_nothing_is_planned(
    asker: Asker, text: str, said: str
) -> None:
    reply = await asked(asker, text)

    assert said in as_text(reply), as_text(reply)
    assert [one.status for one in reply.answers] == [AnswerStatus.FAILED]
    control = await asker.control()
    assert control is not None
    assert await control.plans(by=ANN) == ()


async def test_a_command_that_only_looks_is_run_at_once_and_a_failure_is_told(
    asker: Asker,
) -> None:
    reply = await asked(asker, "run 'uptime' on web-1")
    control = await asker.control()
    assert control is not None
    (dossier,) = await control.plans(by=ANN)

    assert dossier.state is PlanState.FAILED
    assert [one.status for one in reply.answers] == [AnswerStatus.FAILED]
    assert "web-1 did not answer" in as_text(reply), as_text(reply)


async def test_a_viewer_proposes_nothing(asker: Asker) -> None:
    reply = await asked(asker, "restart payments", by=replace(ANN, role=Role.VIEWER))

    assert outcome(reply) == "denied"
    assert "may look" in as_text(reply)


@pytest.mark.usefixtures("asker")
async def test_what_policy_refuses_is_told_with_its_rule(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        "version: 1\nrules: [{name: freeze, when: {risk: change}, then: refuse}]\n"
    )
    settings = Settings(
        data_dir=tmp_path,
        targets_file=tmp_path / "targets.json",
        policy_file=tmp_path / "policy.yaml",
    )
    ledger = SqliteLedger(tmp_path / "other.db")
    async with Asker(
        settings, AskSources(inventory=tmp_path / "names.json"), ledger=ledger
    ) as one:
        reply = await asked(one, "restart payments")
    ledger.close()

    assert isinstance(reply.plans[0].judgement, Denied)
    assert "freeze" in as_text(reply)
    assert "opsmith approve" not in as_text(reply)


async def test_a_condition_that_held_stands_in_the_plan_and_is_what_verifies_it(
    asker: Asker, tmp_path: Path
) -> None:
    control = await asker.control()
    assert control is not None
    settings = Settings(data_dir=tmp_path, targets_file=tmp_path / "targets.json")
    changes = changes_by(ANN, control=control, settings=settings, watched=True)
    world = World(
        now=datetime.fromtimestamp(END_S, tz=UTC),
        clock=datetime.fromtimestamp(END_S, tz=UTC),
        speech=Speech(language=Language.ENGLISH),
        source="bundle",
        catalogue=load_metrics(None),
        streets=cast("Streets", None),
        metrics=RecordedMetrics(SERIES),
        changes=changes,
        asked="if the error rate of frontend is above 5% restart cart and payments",
    )
    asked_for = Task(
        intent="query_metric",
        slots={"metric": "error_rate", "service": "frontend", "threshold": ">5%"},
    )
    restarts = [
        Task(
            intent="restart_service",
            slots={"service": name, "condition": "breach"},
            depends_on=(0,),
            risk=Risk.CHANGE,
        )
        for name in ("cart", "payments")
    ]
    answers = [one async for one in answer((asked_for, *restarts), world)]

    dossier = answers[1].plan
    assert dossier is not None
    assert dossier.plan.waves == (1, 1)
    assert (
        "The condition held: the threshold was passed. error rate of frontend" in dossier.plan.why
    )
    assert dossier.plan.checks[0].subject.endswith(") > 0.05")
    assert 'service="frontend"' in dossier.plan.checks[0].subject
    assert answers[1].detail.count("error rate of frontend no longer >5%") == 1


@pytest.mark.parametrize(
    "row",
    [
        {"target": {}},
        {"target": {"slot": "service", "entity": "host:a"}},
        {"values": {"x": {"slot": "y", "as": "z"}}},
        {"values": {"x": {"as": "seconds"}}},
        {"values": 1},
        {"colour": "red"},
    ],
)
def test_a_table_that_is_wrong_is_refused_with_the_task(row: dict[str, object]) -> None:
    whole = {"action": "a.b", "target": {"slot": "service"}}

    with pytest.raises(BadInput, match="The orders of restart_service"):
        table_from({"version": 1, "tasks": {"restart_service": [{**whole, **row}]}})
    with pytest.raises(BadInput, match="version"):
        table_from({"version": 2, "tasks": {}})


@pytest.mark.parametrize(
    ("text", "action", "values"),
    [
        ("scale cart to 6 replicas", "kubernetes.scale", {"replicas": 6}),
        ("把 cart 扩 2 个副本", "kubernetes.scale", {"replicas": 4}),
        (
            "scale cart in namespace shop to 6",
            "kubernetes.scale",
            {"replicas": 6, "namespace": "shop"},
        ),
        ("rolling restart of cart", "kubernetes.restart", {}),
        ("roll cart back to v1.4.2", "kubernetes.rollback", {"version": "v1.4.2"}),
        ("roll cart back to the previous version", "kubernetes.rollback", {}),
    ],
)
async def test_a_workload_of_a_cluster_is_found_and_planned_for(
    tmp_path: Path, text: str, action: str, values: dict[str, object]
) -> None:
    cluster = EmulatedCluster()
    cluster.workload("deployments", "cart", ["shop/cart:v1.4.2", "shop/cart:v1.5.0"], replicas=2)
    (tmp_path / "names.json").write_text(json.dumps({**NAMES, "namespaces": ["shop"]}))
    with served(cluster, tmp_path) as config:
        here = [{"name": "test", "kubeconfig": str(config), "namespaces": ["shop"]}]
        (tmp_path / "targets.json").write_text(json.dumps({"kubernetes": here}))
        settings = Settings(data_dir=tmp_path, targets_file=tmp_path / "targets.json")
        ledger = SqliteLedger(tmp_path / "ledger.db")
        sources = AskSources(inventory=tmp_path / "names.json")
        async with Asker(settings, sources, ledger=ledger) as one:
            reply = await asked(one, text)
        ledger.close()

    assert reply.plans, as_text(reply)
    (step,) = reply.plans[0].plan.steps
    assert (step.order.action, str(step.order.target)) == (action, "service:cart")
    assert dict(step.order.values) == values
