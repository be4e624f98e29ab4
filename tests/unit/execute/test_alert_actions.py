"""alert.silence, from its rehearsal to its undo, against a real Alertmanager."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from promises.real_alertmanager import alertmanager

from opsmith.backends.reach.alertmanager import SilencesReach
from opsmith.errors import BadInput
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order, Value
from opsmith.testing.acting import OneWay

pytestmark = pytest.mark.needs_prometheus
CART = Entity.service("cart")
ACTION = Registry(BUILT_IN).get("alert.silence")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[OneWay]:
    async with alertmanager(tmp_path) as wire:
        labels = {CART: {"service": "cart"}}
        yield OneWay(way=SilencesReach(labels, wire=wire, clock=lambda: datetime.now(UTC)))


def silence(**values: Value) -> Order:
    return Order(action="alert.silence", target=CART, values={"for_s": 600, **values})


async def test_a_silence_is_set_read_back_and_ended(world: OneWay) -> None:
    order = silence(match=("alertname=Slow",))

    preview = replace(await ACTION.dry_run(order, world), plan="plan-1")
    await ACTION.apply(order, preview, world)
    assert (await ACTION.verify(order, preview, world)).holds
    says = await ACTION.undo(order, preview, world)

    told = "silence alerts with alertname=Slow, service=cart for 10 min; none fires now"
    assert preview.says == told
    assert says == "ended 1 silences"
    assert not (await ACTION.verify(order, preview, world)).holds


async def test_an_undo_leaves_the_silence_of_another_plan(world: OneWay) -> None:
    order = silence()
    first = replace(await ACTION.dry_run(order, world), plan="plan-1")
    await ACTION.apply(order, first, world)
    second = replace(await ACTION.dry_run(order, world), plan="plan-2")
    await ACTION.apply(order, second, world)

    await ACTION.undo(order, second, world)

    assert second.says.endswith("somebody silences the same already")
    assert (await ACTION.verify(order, first, world)).holds
    assert not (await ACTION.verify(order, second, world)).holds


async def test_a_silence_cannot_reach_beyond_its_target(world: OneWay) -> None:
    with pytest.raises(BadInput, match="service=cart, not pay"):
        await ACTION.dry_run(silence(match=("service=pay",)), world)


@pytest.mark.parametrize("wrong", ["a", "=b", "a=", "a-b=c", "a=b\n", "a=b\nc=d"])
def test_what_is_no_pair_of_label_and_value_is_refused(wrong: str) -> None:
    with pytest.raises(BadInput, match="does not match"):
        Registry(BUILT_IN).checked(silence(match=(wrong,)))


@pytest.mark.parametrize("length", [0, 59, 24 * 3600 + 1])
def test_a_silence_lasts_a_minute_at_least_and_a_day_at_most(length: int) -> None:
    with pytest.raises(BadInput, match="imum"):
        Registry(BUILT_IN).checked(silence(for_s=length))
