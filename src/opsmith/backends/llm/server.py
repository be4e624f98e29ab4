"""One HTTP server of models: a question by POST, its answer line by line, errors translated.

Nothing goes anywhere but to its address: no proxy of the environment, no redirect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from http import HTTPStatus
from typing import cast

import httpx
import orjson

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

CONNECT_S = 5.0
# How long a list of models may take; it costs a server nothing.
LIST_S = 10.0
# A line holds one token and its frame, or one whole answer of a server that does not stream.
LONGEST_LINE = 4 * 1024 * 1024
_LONGEST_REASON = 300
# What a busy server that does not say asks for.
_BUSY_S = 2.0
_THEIR_FAULT = 500

Json = Mapping[str, object]


class ModelServer:
    """Asks one address. key: shown as a bearer token, empty for none. Close it when done."""

    def __init__(
        self, url: str, *, key: str = "", transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            base = httpx.URL(url.rstrip("/") + "/")
            if base.scheme not in ("http", "https") or not base.host:
                raise httpx.InvalidURL(base.scheme)  # noqa: TRY301 - one error for all of them
            self.where = f"{base.scheme}://{base.host}" + (f":{base.port}" if base.port else "")
            self._client = httpx.AsyncClient(
                base_url=base,
                headers=headers,
                transport=transport,
                trust_env=False,
                timeout=httpx.Timeout(None, connect=CONNECT_S),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            )
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise BadInput(f"{redact(url[:200])!r} is no http:// or https:// address.") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def read(self, path: str) -> Json:
        """The JSON object at a path. Raises as `lines` does."""
        ends = asyncio.get_running_loop().time() + LIST_S
        request = self._client.build_request("GET", path)
        async with self._answer(request, ends) as answer:
            content = b"".join([block async for block in self._blocks(answer, ends)])
        return self.json(content)

    async def lines(self, path: str, body: Json, *, ends: float) -> AsyncGenerator[bytes, None]:
        """The lines of the answer to a POST, as they come, without those that are empty.

        ends: when to give up, in the time of the running loop, seconds.
        Raises `Unreachable` after that and when the server fails, `Overloaded` when it is busy,
        `BadInput` and `NotFound` when it rejects the question, `BadAnswer` for what is no answer.
        """
        content = orjson.dumps(body)
        headers = {"Content-Type": "application/json"}
        request = self._client.build_request("POST", path, content=content, headers=headers)
        async with (
            self._answer(request, ends) as answer,
            aclosing(self._blocks(answer, ends)) as blocks,
        ):
            rest = b""
            async for block in blocks:
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
    async def _answer(self, request: httpx.Request, ends: float) -> AsyncIterator[httpx.Response]:
        """The answer with its head read; leaving hangs up, which stops the work over there."""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(ends):
                    answer = await self._sent(request)
                    stack.push_async_callback(answer.aclose)
                    if answer.status_code != HTTPStatus.OK:
                        content = await answer.aread()
                        raise self._refusal(answer.status_code, answer.headers, content)
            except TimeoutError as error:
                raise self._late() from error
            except (httpx.HTTPError, httpx.StreamError, OSError) as error:
                raise self._gone(error) from error
            yield answer

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        """Send; once more when a kept connection turns out to be closed at the other end."""
        try:
            return await self._client.send(request, stream=True)
        except httpx.RemoteProtocolError:
            return await self._client.send(request, stream=True)

    async def _blocks(self, answer: httpx.Response, ends: float) -> AsyncGenerator[bytes, None]:
        # It is a generator, though httpx does not say so.
        content = cast("AsyncGenerator[bytes, None]", answer.aiter_bytes())
        async with aclosing(content) as blocks:
            while True:
                try:
                    async with asyncio.timeout_at(ends):
                        block = await anext(blocks)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    raise self._late() from error
                except (httpx.HTTPError, httpx.StreamError, OSError) as error:
                    raise self._gone(error) from error
                yield block

    def _late(self) -> Unreachable:
        return Unreachable(f"{self.where} did not finish in time.")

    def _gone(self, error: Exception) -> Unreachable:
        reason = redact(str(error) or type(error).__name__)[:_LONGEST_REASON]
        return Unreachable(
            f"{self.where} did not answer ({reason}).", hint="Does the model server run?"
        )

    def _refusal(self, status: int, headers: httpx.Headers, content: bytes) -> OpsmithError:
        said = f"{self.where} says: {self._reason(content)} (HTTP {status})."
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            told = headers.get("retry-after", "")
            wait_s = min(float(told), 600.0) if told.isdecimal() else _BUSY_S
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

    def _reason(self, content: bytes) -> str:
        """What the server says of its refusal: `{"error": "…"}`, or an object with a message."""
        try:
            told = orjson.loads(content)
        except orjson.JSONDecodeError:
            told = None
        error = told.get("error") if isinstance(told, dict) else None
        if isinstance(error, dict):
            error = error.get("message")
        text = (
            error
            if isinstance(error, str)
            else content[:_LONGEST_REASON].decode("utf8", "replace")
        )
        shown = "".join(c if c.isprintable() else " " for c in text)
        return redact(shown.strip()[:_LONGEST_REASON]) or "nothing"
