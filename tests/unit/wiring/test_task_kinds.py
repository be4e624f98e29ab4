"""What tasks do: a task that is delivered twice does no harm."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from opsmith.errors import BadInput, NotFound
from opsmith.nouns.job import Context
from opsmith.nouns.session import Principal
from opsmith.settings import Settings
from opsmith.wiring.act import desk as act_desk
from opsmith.wiring.act import proposal
from opsmith.wiring.desk import Desk
from opsmith.wiring.llm import Inference
from opsmith.wiring.task_bodies import body_of, split
from opsmith.wiring.task_kinds import Work, kinds

ANN = Principal(name="ann")
LETS = "version: 1\nrules:\n  - {name: all, when: {}, then: allow}\n"
ASKS = "version: 1\nrules:\n  - {name: ask, when: {}, then: {ask: 1}}\n"


def settings_in(folder: Path, policy: str) -> Settings:
    logs = folder / "logs"
    logs.mkdir()
    old = logs / "old.log"
    old.write_text("x" * 100)
    os.utime(old, (1_000_000_000, 1_000_000_000))
    targets = folder / "targets.yaml"
    targets.write_text(f"targets:\n  - {{target: service:cart, logs: {{folder: {logs}}}}}\n")
    (folder / "policy.yaml").write_text(policy)
    return Settings(
        data_dir=folder / "data", targets_file=targets, policy_file=folder / "policy.yaml"
    )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[dict[str, Work]]:
    async with (
        act_desk(settings) as house,
        aclosing(Desk(settings, house.ledger, Inference(settings))) as desk,
    ):
        yield dict(kinds(settings, house=house, desk=desk, bundles=[settings.data_dir]))


def context(key: str = "k", *, by: Principal = ANN) -> Context:
    return Context(trace="1-0", job="j", key=key, by=by, session="", attempt=1)


async def done(work: Work, body: str, of: Context) -> dict[str, object]:
    (shard,) = work.split(body)
    return json.loads(await work.do(shard, of))


CLEAN = json.dumps({"target": "service:cart", "older_than_s": 3600})


async def test_a_clean_up_that_is_delivered_twice_is_done_once(tmp_path: Path) -> None:
    async with opened(settings_in(tmp_path, LETS)) as known:
        first = await done(known["logs.clean"], CLEAN, context())
        second = await done(known["logs.clean"], CLEAN, context())

    assert first["state"] == "done"
    assert (second["plan"], second["state"]) == (first["plan"], "done")
    assert list((tmp_path / "logs").iterdir()) == []


async def test_a_schedule_does_not_ask_people_again_and_again(tmp_path: Path) -> None:
    async with opened(settings_in(tmp_path, ASKS)) as known:
        first = await done(known["logs.clean"], CLEAN, context("clean@1"))
        second = await done(known["logs.clean"], CLEAN, context("clean@2"))

    assert first["state"] == second["state"] == "waits"
    assert first["plan"] == second["plan"]
    assert len(list((tmp_path / "logs").iterdir())) == 1


async def test_a_rule_of_policy_is_the_standing_leave_for_a_schedule(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, ASKS)
    async with opened(settings) as known:
        waits = await done(known["logs.clean"], CLEAN, context("clean@1"))
    rule = json.loads(str(waits["says"]).partition("put this rule before that one: ")[2])
    policy = {"version": 1, "rules": [rule, *yaml.safe_load(ASKS)["rules"]]}
    assert settings.policy_file
    settings.policy_file.write_text(yaml.safe_dump(policy))

    async with opened(settings) as known:
        by_another = context("clean@2", by=Principal(name="eve"))
        still = await done(known["logs.clean"], CLEAN, by_another)
        # What was asked before the rule came is judged anew when it is run.
        ran = await done(known["logs.clean"], CLEAN, context("clean@3"))
        nothing = await done(known["logs.clean"], CLEAN, context("clean@4"))

    assert str(waits["says"]).startswith("The rule 'ask' wants 1 to say yes")
    assert still["state"] == "waits"
    assert ran["state"] == "done"
    assert (nothing["plan"], nothing["says"]) == ("", "No file is old enough.")
    assert list((tmp_path / "logs").iterdir()) == []


async def test_an_approved_plan_that_is_delivered_twice_runs_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, ASKS)
    async with (
        act_desk(settings) as house,
        aclosing(Desk(settings, house.ledger, Inference(settings))) as desk,
    ):
        known = kinds(settings, house=house, desk=desk, bundles=[])
        wanted = proposal("logs.clean", "service:cart", ["older_than_s=3600"], why="full")
        name = (await house.control.propose(wanted, by=ANN)).plan.id
        body = json.dumps({"plan": name})
        too_soon = await done(known["plan.run"], body, context())
        await house.control.approve(name, by=Principal(name="bob"))
        both = [await done(known["plan.run"], body, context()) for _ in range(2)]
        acts = await house.control.acts(name, by=ANN)

    assert too_soon["state"] == "refused"
    assert [one["state"] for one in both] == ["done", "done"]
    assert len(acts) == 1


async def test_a_plan_of_another_tenant_is_not_there(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, LETS)
    async with opened(settings) as known:
        name = (await done(known["logs.clean"], CLEAN, context()))["plan"]
        other = context(by=Principal(name="eve", tenant="other"))

        with pytest.raises(NotFound):
            await done(known["plan.run"], json.dumps({"plan": name}), other)


async def test_folders_outside_are_not_looked_into(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, LETS)
    settings.data_dir.mkdir()
    (settings.data_dir / "way-out").symlink_to("/etc")
    async with opened(settings) as known:
        for folder in ("/etc", f"{settings.data_dir}/../..", f"{settings.data_dir}/way-out"):
            with pytest.raises(BadInput, match="none of the folders"):
                await done(known["investigate"], json.dumps({"bundle": folder}), context())


async def test_incidents_of_the_house_are_no_other_tenants_to_look_into(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, LETS)
    wanted = json.dumps({"bundle": str(settings.data_dir / "incidents" / "i-1" / "bundle")})
    foreign = Principal(name="cat", tenant="bank")
    async with opened(settings) as known:
        with pytest.raises(BadInput, match="none of the folders"):
            await done(known["investigate"], wanted, context(by=foreign))
        with pytest.raises(BadInput) as ours:
            await done(known["investigate"], wanted, context())

    assert "none of the folders" not in str(ours.value)


async def test_a_question_is_answered(tmp_path: Path) -> None:
    async with opened(settings_in(tmp_path, LETS)) as known:
        found = await done(known["ask"], '{"question": "is it healthy?"}', context())

    assert found["outcome"] == "clarify"


def test_a_task_over_targets_has_a_shard_for_each() -> None:
    shards = split(
        "logs.clean", body_of(["target=service:a", "target=service:b", "older_than_s=60"])
    )

    assert [one.name for one in shards] == ["service:a", "service:b"]


def test_words_that_are_no_assignments_are_told() -> None:
    with pytest.raises(BadInput, match="NAME=VALUE"):
        body_of(["loud"])


async def test_a_ping_waits_as_long_as_it_was_told(tmp_path: Path) -> None:
    async with opened(settings_in(tmp_path, LETS)) as known:
        task = asyncio.create_task(done(known["ping"], '{"wait_s": 0.01}', context()))

    assert (await task)["pong"] is True


async def test_a_configured_queue_that_does_not_answer_closes_the_door(tmp_path: Path) -> None:
    settings = replace(settings_in(tmp_path, LETS), queue_url="redis://127.0.0.1:1/0")
    async with opened(settings) as known:
        found = await done(known["logs.clean"], CLEAN, context())

    assert found["state"] == "refused"
    assert "queue does not answer" in str(found["says"])
    assert len(list((tmp_path / "logs").iterdir())) == 1
