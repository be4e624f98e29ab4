"""slots: the jobs of schedules are put when their time has come, once a slot over all workers."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from opsmith.errors import BadInput
from opsmith.nouns.job import Job, Schedule
from opsmith.seams.queue import Queue


async def put_due(queue: Queue, *, now: datetime) -> tuple[str, ...]:
    """Put the newest due slot of each schedule; the ids of what was put.

    The job's id is the schedule and the slot, so that two workers put one job. Of slots that
    were missed while no worker ran, the newest alone is made up for.
    Raises `Unreachable`.
    """
    put: list[str] = []
    for schedule in await queue.schedules():
        slot = newest_slot(schedule, now=now)
        if slot is not None:
            put += await queue.put([_job(schedule, slot)])
            await queue.passed(schedule.name, slot)
    return tuple(put)


def newest_slot(schedule: Schedule, *, now: datetime) -> datetime | None:
    """The newest time up to `now` at which it is due and was not put yet (UTC), None for none."""
    zone = ZoneInfo(schedule.zone)
    found = next(CronSim(schedule.cron, now.astimezone(zone), reverse=True), None)
    slot = found.astimezone(UTC) if found is not None else None
    return slot if slot is not None and slot > schedule.last else None


def next_slot(schedule: Schedule, *, now: datetime) -> datetime | None:
    """When it is due next (UTC), None for never."""
    found = next(CronSim(schedule.cron, now.astimezone(ZoneInfo(schedule.zone))), None)
    return found.astimezone(UTC) if found is not None else None


def check_schedule(schedule: Schedule, *, now: datetime) -> None:
    """Raise `BadInput` for a schedule that says no times, or a zone that is none."""
    try:
        if next_slot(schedule, now=now) is None:
            raise BadInput(f"{schedule.cron!r} never comes.")
    except CronSimError as error:
        raise BadInput(
            f"{schedule.cron[:80]!r} is no time: {error}.",
            hint="Five fields: minute hour day month weekday, such as '*/5 * * * *'.",
        ) from error
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput(f"{schedule.zone[:40]!r} is no time zone.") from error


def _job(schedule: Schedule, slot: datetime) -> Job:
    name = f"{schedule.name}@{slot:%Y%m%dT%H%M%SZ}"
    return Job(
        id=name,
        key=name,
        kind=schedule.kind,
        by=schedule.by,
        body=schedule.body,
        priority=schedule.priority,
    )
