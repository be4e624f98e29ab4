"""POST /v1/infer: a prompt -> what a model makes of it, whole or event by event."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from opsmith.errors import OpsmithError
from opsmith.http.streaming import EVENTS, opening, readable, resumed, unless_left
from opsmith.http.who import who
from opsmith.wiring.llm import LONGEST_PROMPT, Asked, Inference, Told

LONGEST_ANSWER_TOKENS = 32_768
LONGEST_S = 600.0
MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$"


def _plain(text: str) -> str:
    if not text.strip():
        raise ValueError("the prompt is empty")
    return readable(text)


class InferShape(BaseModel):
    """A prompt and how it is to be answered."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: Annotated[str, Field(min_length=1, max_length=LONGEST_PROMPT), AfterValidator(_plain)]
    temperature: float = Field(default=0.0, ge=0.0, le=2.0, allow_inf_nan=False)
    max_tokens: int = Field(default=512, ge=1, le=LONGEST_ANSWER_TOKENS)
    answer_schema: dict[str, object] | None = Field(
        default=None, alias="schema", description="JSON Schema that the answer must fit."
    )
    stream: bool = Field(default=False, description="Answer as server-sent events.")
    model: str = Field(default="", pattern=rf"{MODEL_NAME}|^$")
    timeout_s: float | None = Field(default=None, gt=0.0, le=LONGEST_S, allow_inf_nan=False)

    def asked(self) -> Asked:
        """The same as a value of the house."""
        schema = self.answer_schema
        return Asked(
            prompt=self.prompt,
            schema="" if schema is None else json.dumps(schema),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            model=self.model,
            timeout_s=self.timeout_s,
        )


def routes(inference: Inference) -> APIRouter:
    """The route for prompts."""
    router = APIRouter(prefix="/v1", tags=["model"])

    @router.post("/infer")
    async def infer(shape: InferShape, request: Request) -> Response:
        """Ask the configured model; secrets are redacted, a schema is enforced.

        With `stream` or `Accept: text/event-stream` the events are `start`, a `token` for each
        piece, and `done` with the whole and its usage; or `error` with a problem.
        429 and 503 say in `Retry-After` when to come back. Hanging up stops the work.
        """
        asked, principal = shape.asked(), who(request)
        if shape.stream or EVENTS in request.headers.get("accept", ""):
            told = inference.events(asked, principal=principal)
            first = await unless_left(request, opening(told))
            return StreamingResponse(_written(resumed(first, told)), media_type=EVENTS)
        answer = inference.infer(asked, principal=principal)
        return JSONResponse(await unless_left(request, answer))

    return router


async def _written(told: AsyncGenerator[Told, None]) -> AsyncIterator[bytes]:
    async with aclosing(told):
        try:
            async for one in told:
                yield _event(one.kind, one.body)
        except OpsmithError as error:
            yield _event("error", _problem(error))


def _problem(error: OpsmithError) -> dict[str, object]:
    wait = {"retry_after_s": error.retry_after_s} if error.retry_after_s else {}
    title = type(error).__name__
    return {"title": title, "status": error.http_status, "detail": str(error), **wait}


def _event(kind: str, body: dict[str, object]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(body))
