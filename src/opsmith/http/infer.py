"""POST /v1/infer: a prompt -> what a model makes of it, whole or event by event."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from typing import Annotated, TypeVar

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from opsmith.errors import AskError, OpsmithError
from opsmith.http.who import who
from opsmith.wiring.llm import LONGEST_PROMPT, Asked, Inference, Told

EVENTS = "text/event-stream"
LONGEST_ANSWER_TOKENS = 32_768
LONGEST_S = 600.0
_ALLOWED_CONTROLS = frozenset("\n\r\t")

Found = TypeVar("Found")


class Gone(AskError):
    """The caller left before the answer was there."""

    # For the ledger; nobody is left to read it.
    http_status = 400


def _plain(text: str) -> str:
    """The text, if a model may see it. Raises `ValueError`."""
    if not text.strip():
        raise ValueError("the prompt is empty")
    for place, character in enumerate(text):
        bad = unicodedata.category(character) in {"Cc", "Cs"}
        if bad and character not in _ALLOWED_CONTROLS:
            raise ValueError(f"U+{ord(character):04X} at {place} is a control character")
    return text


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
    model: str = Field(default="", pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$|^$")
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
            opening = await _unless_left(request, _opening(told))
            return StreamingResponse(_written(opening, told), media_type=EVENTS)
        answer = inference.infer(asked, principal=principal)
        return JSONResponse(await _unless_left(request, answer))

    return router


async def _opening(told: AsyncGenerator[Told, None]) -> list[Told]:
    """Up to the first word: what fails until then still gets a status of its own."""
    opening = [await anext(told)]
    opening.append(await anext(told))
    return opening


async def _unless_left(request: Request, work: Awaitable[Found]) -> Found:
    """The result of the work, which is cancelled when the caller hangs up."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    """Return when the caller hangs up; the body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _written(opening: list[Told], told: AsyncGenerator[Told, None]) -> AsyncIterator[bytes]:
    async with aclosing(told):
        for one in opening:
            yield _event(one.kind, one.body)
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
