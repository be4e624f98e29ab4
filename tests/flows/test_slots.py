"""Schedules put one job a slot, whoever looks."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from opsmith.errors import BadInput
from opsmith.flows.slots import check_schedule, newest_slot, next_slot, put_due
from opsmith.nouns.job import Schedule
from opsmith.nouns.session import Principal
from opsmith.testing.queue import MemoryQueue

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def every(cron: str, *, zone: str = "UTC", last: datetime = NOON) -> Schedule:
    return Schedule(
        name="clean", cron=cron, zone=zone, kind="ping", by=Principal(name="ann"), last=last
    )


async def test_a_slot_is_put_once_over_two_workers() -> None:
    queue = MemoryQueue()
    await queue.keep(every("*/5 * * * *"))

    now = NOON + timedelta(minutes=5, seconds=1)
    both = await asyncio.gather(put_due(queue, now=now), put_due(queue, now=now))
    again = await put_due(queue, now=now + timedelta(minutes=1))

    assert {name for names in both for name in names} == {"clean@20260302T120500Z"}
    assert again == ()
    assert (await queue.depth()).waiting == 1


async def test_of_missed_slots_the_newest_is_made_up_for() -> None:
    queue = MemoryQueue()
    await queue.keep(every("*/5 * * * *"))

    put = await put_due(queue, now=NOON + timedelta(hours=2, minutes=3))

    assert put == ("clean@20260302T140000Z",)


def test_nothing_is_due_before_its_first_slot() -> None:
    assert newest_slot(every("*/5 * * * *"), now=NOON + timedelta(minutes=4)) is None


def test_clock_times_are_those_of_the_zone() -> None:
    comes = next_slot(every("30 9 * * *", zone="Asia/Shanghai"), now=NOON)

    assert comes == datetime(2026, 3, 3, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "says"),
    [
        ("61 * * * *", "UTC", "is no time"),
        ("often", "UTC", "is no time"),
        ("0 0 * * *", "Mars/Olympus", "is no time zone"),
    ],
)
def test_times_that_never_come_are_told(cron: str, zone: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        check_schedule(every(cron, zone=zone), now=NOON)
