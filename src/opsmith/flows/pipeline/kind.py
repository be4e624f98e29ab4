"""Kinds of jobs: how one is split and how a shard is done; and the context that goes with it."""

from __future__ import annotations

from typing import Protocol

from opsmith.nouns.job import Context, Lease, Shard


class Kind(Protocol):
    """What is done for one kind of job.

    deadline_s: for one shard. interruptible: whether a shard may be stopped half-way; one that
    may not is waited for. May be done twice: a worker can die after the effect and before it
    says so.
    """

    @property
    def name(self) -> str:
        """As jobs name it."""

    @property
    def deadline_s(self) -> float:
        """How long a shard may take."""

    @property
    def interruptible(self) -> bool:
        """Whether a shard may be stopped half-way."""

    def split(self, body: str) -> tuple[Shard, ...]:
        """The shards of a job, one or more. Raises `BadInput` for a body that is none of its."""

    async def do(self, shard: Shard, context: Context) -> str:
        """Do one shard; the result as JSON text."""


def context_of(lease: Lease) -> Context:
    """What goes with every shard of a job."""
    job = lease.job
    return Context(
        trace=lease.trace,
        job=job.id,
        key=job.key or job.id,
        by=job.by,
        session=job.session,
        attempt=lease.attempt,
    )
