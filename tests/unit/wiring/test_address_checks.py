"""Checks as tasks: a real server goes down and comes back, a real webhook hears of it, once."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from builders.http import serving

from opsmith.errors import BadInput, NotFound
from opsmith.flows.change_control import Proposal
from opsmith.nouns.entity import Entity
from opsmith.nouns.job import Context
from opsmith.nouns.plan import ActState, Denied, Order, Outcome, PlanState
from opsmith.nouns.session import Principal
from opsmith.settings import Settings
from opsmith.wiring.act import desk as act_desk
from opsmith.wiring.checks import checks_list
from opsmith.wiring.desk import Desk
from opsmith.wiring.llm import Inference
from opsmith.wiring.task_bodies import split
from opsmith.wiring.task_kinds import Work, kinds

ANN = Principal(name="ann")
CART = Entity.service("cart")
BODY = json.dumps({"target": ["service:cart"], "check": "health"})
REFUSES = "version: 1\nrules:\n  - {name: none, when: {}, then: refuse}\n"
ASKS = "version: 1\nrules:\n  - {name: ask, when: {}, then: {ask: 1}}\n"


@dataclass
class Shop:
    """A server whose answer is set by the test, and who heard of it."""

    status: int = 200
    heard: list[dict[str, object]] = field(default_factory=list)

    def answer(self, path: str, _: Mapping[str, str]) -> tuple[int, bytes]:
        return (self.status, b"ready") if path == "/healthz" else (404, b"")

    def hear(self, content: bytes) -> int:
        self.heard.append(json.loads(content))
        return 200


def settings_in(folder: Path, shop: str, hook: str = "", policy: str = "") -> Settings:
    health = f"{{url: '{shop}/healthz', text: ready, failures: 2}}"
    targets = folder / "targets.yaml"
    targets.write_text(f"targets:\n  - {{target: service:cart, http: {{health: {health}}}}}\n")
    notify = folder / "notify.yaml"
    notify.write_text(f"receivers:\n  - {{name: ops, kind: webhook, url: '{hook}'}}\n")
    (folder / "policy.yaml").write_text(policy)
    return Settings(
        data_dir=folder / "data",
        targets_file=targets,
        notify_file=notify if hook else None,
        policy_file=folder / "policy.yaml" if policy else None,
    )


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Work]:
    """What a worker has in hand for the kind; another one after each restart."""
    async with (
        act_desk(settings) as house,
        aclosing(Desk(settings, house.ledger, Inference(settings))) as desk,
    ):
        yield kinds(settings, house=house, desk=desk, bundles=[])["http.check"]


async def look(work: Work, body: str = BODY) -> dict[str, object]:
    (shard,) = split("http.check", body)
    context = Context(trace="1-0", job="j", key="k", by=ANN, session="", attempt=1)
    return json.loads(await work.do(shard, context))


async def test_an_outage_is_told_once_whatever_is_started_again(tmp_path: Path) -> None:
    shop = Shop()
    with serving(shop.answer) as url, serving(lambda *_: (200, b""), hear=shop.hear) as hook:
        settings = settings_in(tmp_path, url, hook)
        states = []
        for status in (200, 503, 503, 503, 200, 200):
            shop.status = status
            async with worker(settings) as work:  # each in a house of its own: a restart
                states.append((await look(work))["state"])
        (standing,) = await checks_list(settings)

    assert states == ["well", "failing", "down", "down", "well", "well"]
    assert [one["state"] for one in shop.heard] == ["open", "resolved"]
    assert "answers 503, not 200" in str(shop.heard[0]["lines"])
    assert shop.heard[0]["incident"] == shop.heard[1]["incident"]
    assert standing[0].state == "well"


async def test_a_check_without_anybody_to_tell_is_counted(tmp_path: Path) -> None:
    shop = Shop(status=500)
    with serving(shop.answer) as url:
        async with worker(settings_in(tmp_path, url)) as work:
            found = [await look(work, '{"target": "service:cart"}') for _ in range(3)]

    assert [one["failures"] for one in found] == [1, 2, 2]
    assert found[-1]["outage"]


@pytest.mark.parametrize("policy", [REFUSES, ASKS, "version: 2\n"])
async def test_a_check_that_policy_does_not_let_through_is_not_made(
    tmp_path: Path, policy: str
) -> None:
    shop = Shop(status=500)
    with serving(shop.answer) as url:
        async with worker(settings_in(tmp_path, url, policy=policy)) as work:
            found = await look(work)

    assert found["state"] == "refused"


async def test_what_the_targets_file_does_not_name_is_not_asked(tmp_path: Path) -> None:
    async with worker(settings_in(tmp_path, "http://127.0.0.1:1")) as work:
        for body in ({"target": "service:pay"}, {"target": "service:cart", "check": "other"}):
            with pytest.raises(NotFound, match="has no check"):
                await look(work, json.dumps(body))
    for body in ({"target": "http://evil"}, {"target": "service:cart", "check": "../x"}):
        with pytest.raises(BadInput):
            split("http.check", json.dumps(body))


async def test_a_plan_to_check_fails_without_any_undo(tmp_path: Path) -> None:
    shop = Shop(status=503)
    with serving(shop.answer) as url:
        async with act_desk(settings_in(tmp_path, url)) as house:
            order = Order(action="http.check", target=CART, values={"check": "health"})
            dossier = await house.control.propose(Proposal(orders=(order,), why="ill"), by=ANN)
            outcome = await house.control.run(dossier.plan.id, by=ANN)
            again = await house.control.propose(Proposal(orders=(order,), why="well"), by=ANN)
            shop.status = 200
            good = await house.control.run(again.plan.id, by=ANN)

    assert isinstance(outcome, Outcome)
    assert outcome.state is PlanState.FAILED
    assert outcome.says == f"Step 1: GET {url}/healthz answers 503, not 200."
    assert [act.state for act in outcome.acts] == [ActState.FAILED]
    assert isinstance(good, Outcome)
    assert good.state is PlanState.DONE


async def test_only_reads_are_carried_out_without_a_plan(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    settings = settings_in(tmp_path, "http://127.0.0.1:1")
    assert settings.targets_file
    settings.targets_file.write_text(
        f"targets:\n  - {{target: service:cart, logs: {{folder: {tmp_path}/logs}}}}\n"
    )
    async with act_desk(settings) as house:
        order = Order(action="logs.quarantine", target=CART, values={"older_than_s": 60})
        with pytest.raises(BadInput, match="takes a plan"):
            assert not isinstance(await house.control.read(order, by=ANN), Denied)
