"""One HTTP server of models: a question by POST, its answer line by line, errors translated.

Nothing goes anywhere but to its address: no proxy of the environment, no redirect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import orjson

from opsmith.backends.llm.connection import Connection, Origin
from opsmith.errors import (
    AskError,
    BadAnswer,
    BadInput,
    NotFound,
    OpsmithError,
    Overloaded,
    Unreachable,
)
from opsmith.nouns.redaction import redact

# How long a list of models may take; it costs a server nothing.
LIST_S = 10.0
# A line holds one token and its frame, or one whole answer of a server that does not stream.
LONGEST_LINE = 4 * 1024 * 1024
_LONGEST_REASON = 300
# What a busy server that does not say asks for, and the longest that one is believed, seconds.
_BUSY_S = 2.0
_LONGEST_BUSY_S = 600.0
_THEIR_FAULT = 500

Json = Mapping[str, object]


class ModelServer:
    """Asks one address. key: shown as a bearer token, empty for none. Close it when done."""

    def __init__(self, url: str, *, key: str = "") -> None:
        try:
            self._origin = Origin(url, key=key)
        except ValueError as error:
            raise BadInput(
                f"{redact(url[:200])!r} is no http:// or https:// address, or its key no text."
            ) from error
        self.where = self._origin.where

    async def aclose(self) -> None:
        """Close the connections."""
        self._origin.close()

    async def read(self, path: str) -> Json:
        """The JSON object at a path. Raises as `lines` does."""
        ends = asyncio.get_running_loop().time() + LIST_S
        async with self._answer("GET", path, b"", ends) as answer:
            return self.json(await _whole(answer))

    async def lines(self, path: str, body: Json, *, ends: float) -> AsyncGenerator[bytes, None]:
        """The lines of the answer to a POST, as they come, without those that are empty.

        ends: when to give up, in the time of the running loop, seconds.
        Raises `Unreachable` after that and when the server fails, `Overloaded` when it is busy,
        `BadInput` and `NotFound` when it rejects the question, `BadAnswer` for what is no answer.
        """
        async with self._answer("POST", path, orjson.dumps(body), ends) as answer:
            rest = b""
            while block := await answer.block():
                *whole, rest = (rest + block).split(b"\n")
                for line in whole:
                    if line.strip():
                        yield line
                if len(rest) > LONGEST_LINE:
                    raise self.nonsense(rest)
            if rest.strip():
                yield rest

    def json(self, text: bytes) -> Json:
        """A JSON object of the answer. Raises `BadAnswer` when it is none."""
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise self.nonsense(text)
        return found

    def nonsense(self, text: bytes) -> BadAnswer:
        """The error for what cannot be read as an answer."""
        shown = redact(text[:80].decode(errors="replace"))
        return BadAnswer(
            f"{self.where} answers what is none: {shown!r}.",
            hint="Is this the address of a model server?",
        )

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: bytes, ends: float
    ) -> AsyncIterator[Connection]:
        """The answer with its head read; leaving hangs up, which stops the work over there."""
        try:
            async with self._origin.asked(method, path, body, ends=ends) as answer:
                if answer.status != HTTPStatus.OK:
                    raise self._refusal(answer, await _whole(answer))
                yield answer
        except TimeoutError as error:
            raise Unreachable(f"{self.where} did not finish in time.") from error
        except ValueError as error:
            raise BadAnswer(f"{self.where} answers what HTTP does not allow.") from error
        except OSError as error:
            reason = redact(str(error) or type(error).__name__)[:_LONGEST_REASON]
            raise Unreachable(
                f"{self.where} did not answer ({reason}).", hint="Does the model server run?"
            ) from error

    def _refusal(self, answer: Connection, content: bytes) -> OpsmithError:
        status = answer.status
        said = f"{self.where} says: {_reason(content)} (HTTP {status})."
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            told = answer.headers.get(b"retry-after", b"")
            wait_s = min(float(told), _LONGEST_BUSY_S) if told.isdigit() else _BUSY_S
            return Overloaded(said, retry_after_s=wait_s)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return BadAnswer(
                f"{self.where} does not let us in (HTTP {status}).", hint="See OPSMITH_LLM_KEY."
            )
        if status >= _THEIR_FAULT:
            return Unreachable(said)
        if status < HTTPStatus.BAD_REQUEST:
            return BadAnswer(said, hint="Is this the address of a model server?")
        kind: type[AskError] = NotFound if status == HTTPStatus.NOT_FOUND else BadInput
        return kind(said)


async def _whole(answer: Connection) -> bytes:
    """The rest of a body; what is longer than a line may be is cut."""
    content = b""
    while (block := await answer.block()) and len(content) < LONGEST_LINE:
        content += block
    return content


def _reason(content: bytes) -> str:
    """What a server says of its refusal: `{"error": "…"}`, or an object with a message."""
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError:
        told = None
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, dict):
        error = error.get("message")
    text = error if isinstance(error, str) else content[:_LONGEST_REASON].decode(errors="replace")
    shown = "".join(c if c.isprintable() else " " for c in text)
    return redact(shown.strip()[:_LONGEST_REASON]) or "nothing"
