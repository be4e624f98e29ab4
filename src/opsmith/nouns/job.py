"""Job: one piece of work on the queue, who lends it to whom, and what came of it.

Faces call it a task; `nouns.task.Task` is what a sentence asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from opsmith.errors import BadInput
from opsmith.nouns.session import Principal

# A body says what to do, not what to do it with; 256 KiB holds any list of hosts.
LARGEST_BODY = 256 * 1024
LONGEST_KEY = 200
LONGEST_KEPT_S = 30 * 86_400.0
MOST_ATTEMPTS = 100
_KIND = re.compile(r"[a-z][a-z0-9._-]{0,63}")


class Priority(StrEnum):
    """Which jobs go first."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class JobState(StrEnum):
    """Where a job is. The last three are ends, of which a person may requeue the last two."""

    WAITING = "waiting"
    DELAYED = "delayed"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


ENDED = frozenset({JobState.DONE, JobState.DEAD, JobState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done, for whom, and how often it may be tried.

    id: unique; the one who puts it chooses it, so that putting it again changes nothing.
    body: a JSON object as text. key: a second job of the tenant with the same key is the first
    one, for as long as that is remembered; empty for none.
    due: not before then (UTC-aware), None for at once. keep_s: how long the result stays.
    Raises `BadInput` for what is out of bounds.
    """

    id: str
    kind: str
    by: Principal
    body: str = "{}"
    key: str = ""
    session: str = ""
    priority: Priority = Priority.NORMAL
    due: datetime | None = None
    most_attempts: int = 5
    keep_s: float = 86_400.0

    def __post_init__(self) -> None:
        _check_names(self)
        if len(self.body.encode()) > LARGEST_BODY:
            raise BadInput(f"What a task is given has at most {LARGEST_BODY} bytes.")
        if self.due is not None and self.due.tzinfo is None:
            raise BadInput("When a task is due says its time zone.")
        if not 1 <= self.most_attempts <= MOST_ATTEMPTS:
            raise BadInput(f"A task is tried 1 to {MOST_ATTEMPTS} times.")
        if not 0 < self.keep_s <= LONGEST_KEPT_S:
            raise BadInput(f"A result is kept for more than 0 and at most {LONGEST_KEPT_S:g} s.")


def _check_names(job: Job) -> None:
    if not _KIND.fullmatch(job.kind):
        raise BadInput(f"{job.kind[:64]!r} cannot name a kind of task.")
    if not job.id:
        raise BadInput("A task has an id.")
    for name, text in (("id", job.id), ("key", job.key), ("session", job.session)):
        if len(text) > LONGEST_KEY or not text.isprintable():
            raise BadInput(f"The {name} of a task has at most {LONGEST_KEY} plain characters.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A job lent to a worker. trace: id of its first message on the stream; it never changes.

    attempt: from 1. token: proves the lease; another lease of the same job has another.
    """

    job: Job
    trace: str
    attempt: int
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a lease ends.

    state: DONE with a result, DELAYED until `due` for another try, DEAD or CANCELLED with an
    error, WAITING when it is given back untried. result: JSON text.
    """

    lease: Lease
    state: JobState
    result: str = ""
    error: str = ""
    due: datetime | None = None

    def __post_init__(self) -> None:
        if self.state is JobState.RUNNING or (self.state is JobState.DELAYED) != bool(self.due):
            raise BadInput("A lease ends in a state, and another try has a time.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A job as it stands. result: JSON text; error: of the last try. Times are UTC-aware."""

    job: Job
    state: JobState
    attempts: int
    put_at: datetime
    worker: str = ""
    trace: str = ""
    result: str = ""
    error: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many jobs are where; done counts all that ever were."""

    waiting: int
    delayed: int
    running: int
    dead: int
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A job that is put again and again. cron: five fields, or six with seconds first.

    last: the newest slot that was put, or when the schedule was made (UTC-aware).
    """

    name: str
    cron: str
    zone: str
    kind: str
    by: Principal
    last: datetime
    body: str = "{}"
    priority: Priority = Priority.NORMAL

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", self.name):
            raise BadInput(f"{self.name[:64]!r} cannot name a schedule: use a-z, 0-9, dot, dash.")
        if self.last.tzinfo is None:
            raise BadInput("The last run of a schedule says its time zone.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What goes with every piece of a job: where it came from and on whose behalf.

    trace: names the job in logs and on the ledger. key: what makes an effect outside happen
    once: the job's own key, else its id.
    """

    trace: str
    job: str
    key: str
    by: Principal
    session: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One piece of a job. name: a host, a series, a bundle; unique within its job.

    body: JSON text. after: names of the shards that must be done first.
    """

    name: str
    body: str
    after: frozenset[str] = field(default_factory=frozenset)
