"""POST /v1/ask: a question -> its answers, as one JSON object or event by event."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from opsmith.errors import OpsmithError
from opsmith.http.who import who
from opsmith.nouns.session import LONGEST_COMMAND
from opsmith.wiring.desk import Desk, Told

EVENTS = "text/event-stream"


class QuestionShape(BaseModel):
    """A question, and the session that it goes on with."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=LONGEST_COMMAND, examples=["is cart healthy?"])
    session: str = Field(default="", max_length=64)
    stream: bool = Field(default=False, description="Answer as server-sent events.")
    narrate: bool = Field(default=False, description="Let the language model tell it again.")


def routes(desk: Desk) -> APIRouter:
    """The route for questions."""
    router = APIRouter(prefix="/v1", tags=["ask"])

    @router.post("/ask")
    async def ask(asked: QuestionShape, request: Request) -> Response:
        """Answer a question in English or Chinese; what would change something becomes a plan.

        With `stream` or `Accept: text/event-stream` the events are `reading`, one `answer` a
        task, `plan` for each plan that waits, and `done` with the whole; or `error` with a
        problem.
        """
        steps = desk.ask(
            asked.question,
            session=asked.session,
            principal=who(request),
            narrate=asked.narrate,
        )
        if asked.stream or EVENTS in request.headers.get("accept", ""):
            return StreamingResponse(_events(steps), media_type=EVENTS)
        whole: dict[str, object] = {}
        async for told in steps:
            whole = told.body
        return JSONResponse(whole)

    return router


async def _events(steps: AsyncIterator[Told]) -> AsyncIterator[str]:
    try:
        async for told in steps:
            yield _event(told.kind, told.body)
    except OpsmithError as error:
        problem = {
            "title": type(error).__name__,
            "status": error.http_status,
            "detail": str(error),
        }
        yield _event("error", problem)


def _event(kind: str, body: dict[str, object]) -> str:
    return f"event: {kind}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n"
