"""Records: jobs and schedules as JSON in the store, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from opsmith.errors import HouseError
from opsmith.nouns.job import Job, JobState, Priority, Schedule, Standing
from opsmith.nouns.session import Principal, Role


def of_job(job: Job) -> bytes:
    """A job as it stands in the store for good."""
    return orjson.dumps(
        {
            "id": job.id,
            "kind": job.kind,
            "body": job.body,
            "key": job.key,
            "session": job.session,
            "priority": job.priority,
            "due": job.due,
            "tries": job.most_attempts,
            "keep_s": job.keep_s,
            **_of_principal(job.by),
        }
    )


def to_job(record: bytes) -> Job:
    """Read a job back. Raises `HouseError` for what we never wrote."""
    try:
        read = orjson.loads(record)
        return Job(
            id=read["id"],
            kind=read["kind"],
            body=read["body"],
            key=read["key"],
            session=read["session"],
            priority=Priority(read["priority"]),
            due=datetime.fromisoformat(read["due"]) if read["due"] else None,
            most_attempts=read["tries"],
            keep_s=read["keep_s"],
            by=_to_principal(read),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise HouseError(f"The queue holds a task that opsmith never wrote: {error}.") from error


def to_standing(fields: Mapping[bytes, bytes]) -> Standing:
    """Read what the store says of a job. Raises `HouseError`."""

    def text(name: str) -> str:
        return fields.get(name.encode(), b"").decode()

    def at(name: str) -> datetime | None:
        return datetime.fromtimestamp(int(text(name)) / 1000, UTC) if text(name) else None

    put_at = at("put")
    if put_at is None:
        raise HouseError("The queue holds a task that opsmith never wrote.")
    return Standing(
        job=to_job(fields[b"record"]),
        state=JobState(text("state")),
        attempts=int(text("n")),
        put_at=put_at,
        worker=text("worker"),
        trace=text("trace"),
        result=text("result"),
        error=text("error"),
        began_at=at("began"),
        ended_at=at("ended"),
    )


def of_schedule(schedule: Schedule) -> bytes:
    """A schedule as it stands in the store, but for its last slot."""
    return orjson.dumps(
        {
            "cron": schedule.cron,
            "zone": schedule.zone,
            "kind": schedule.kind,
            "body": schedule.body,
            "priority": schedule.priority,
            **_of_principal(schedule.by),
        }
    )


def to_schedule(name: str, record: bytes, *, last: datetime) -> Schedule:
    """Read a schedule back. Raises `HouseError`."""
    try:
        read = orjson.loads(record)
        return Schedule(
            name=name,
            cron=read["cron"],
            zone=read["zone"],
            kind=read["kind"],
            body=read["body"],
            priority=Priority(read["priority"]),
            by=_to_principal(read),
            last=last,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise HouseError(f"The schedule {name} is damaged: {error}.") from error


def _of_principal(by: Principal) -> dict[str, str]:
    return {"by": by.name, "role": by.role, "tenant": by.tenant}


def _to_principal(read: Mapping[str, str]) -> Principal:
    return Principal(name=read["by"], role=Role(read["role"]), tenant=read["tenant"])
