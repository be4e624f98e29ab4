"""Routes for tasks: put on the queue, looked at, followed, cancelled, tried again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from opsmith.errors import OpsmithError
from opsmith.http.problems import RETRY_AFTER_S
from opsmith.http.who import Caller, Operator
from opsmith.nouns.job import (
    LONGEST_KEPT_S,
    LONGEST_KEY,
    MOST_ATTEMPTS,
    JobState,
    Priority,
    Standing,
)
from opsmith.nouns.session import Principal
from opsmith.wiring.tasks import TaskDesk, Wanted, task_json

EVENTS = "text/event-stream"


class WantedShape(BaseModel):
    """A task to put. body: as its kind takes it; due: not before then."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(min_length=1, max_length=64, examples=["ask"])
    body: dict[str, object] = Field(default={}, examples=[{"question": "is cart healthy?"}])
    key: str = Field(default="", max_length=LONGEST_KEY)
    session: str = Field(default="", max_length=64)
    priority: Priority = Priority.NORMAL
    due: AwareDatetime | None = None
    attempts: int = Field(default=5, ge=1, le=MOST_ATTEMPTS)
    keep_s: float = Field(default=86_400.0, gt=0, le=LONGEST_KEPT_S)

    def wanted(self) -> Wanted:
        """The noun."""
        return Wanted(
            kind=self.kind,
            body=json.dumps(self.body, ensure_ascii=False),
            key=self.key,
            session=self.session,
            priority=self.priority,
            due=self.due,
            most_attempts=self.attempts,
            keep_s=self.keep_s,
        )


class TaskShape(BaseModel):
    """A task as it stands. trace: its first message on the stream; result: once it is done."""

    id: str
    kind: str
    state: JobState
    attempts: int
    priority: Priority
    by: str
    key: str
    trace: str
    worker: str
    body: dict[str, object]
    result: object
    error: str
    put_at: AwareDatetime
    due: AwareDatetime | None
    began_at: AwareDatetime | None
    ended_at: AwareDatetime | None

    @classmethod
    def of(cls, found: Standing) -> TaskShape:
        """Show a task."""
        return cls.model_validate(task_json(found))


def routes(desk: TaskDesk) -> APIRouter:
    """All routes under /v1/tasks; a caller sees those of its own tenant."""
    router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

    @router.post("", status_code=202)
    async def put(wanted: WantedShape, by: Operator, response: Response) -> TaskShape:
        """Put a task on the queue; for a key that is known the first one is answered."""
        found = await desk.put(wanted.wanted(), by=by)
        response.headers["Location"] = f"/v1/tasks/{found.job.id}"
        return TaskShape.of(found)

    @router.get("")
    async def newest(
        by: Caller,
        state: JobState | None = None,
        limit: Annotated[int, Field(ge=1, le=1000)] = 100,
    ) -> list[TaskShape]:
        """The newest tasks; `state=dead` for those that failed for good."""
        found = await desk.newest(state=state, limit=limit, by=by)
        return [TaskShape.of(one) for one in found]

    @router.get("/{name}", response_model=TaskShape)
    async def look(name: str, by: Caller, request: Request) -> Response | TaskShape:
        """One task; with `Accept: text/event-stream` its states as events, until it ends."""
        found = TaskShape.of(await desk.look(name, by=by))
        if EVENTS in request.headers.get("accept", ""):
            return StreamingResponse(_events(desk, name, by), media_type=EVENTS)
        return found

    @router.post("/{name}/cancel")
    async def cancel(name: str, by: Operator) -> TaskShape:
        """End a task that waits; ask the worker to stop one that runs."""
        return TaskShape.of(await desk.cancel(name, by=by))

    @router.post("/{name}/retry")
    async def retry(name: str, by: Operator) -> TaskShape:
        """Let a dead or cancelled task wait again."""
        return TaskShape.of(await desk.retry(name, by=by))

    return router


async def _events(desk: TaskDesk, name: str, by: Principal) -> AsyncIterator[str]:
    try:
        async for found in desk.follow(name, by=by):
            yield f"event: task\ndata: {TaskShape.of(found).model_dump_json()}\n\n"
    except OpsmithError as error:
        problem = {"status": error.http_status, "detail": str(error)}
        yield f"retry: {RETRY_AFTER_S * 1000}\nevent: error\ndata: {json.dumps(problem)}\n\n"
