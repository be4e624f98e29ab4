"""Any server that speaks OpenAI's chat completions: llama.cpp, vLLM, LM Studio, a cloud."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

import orjson

from opsmith.backends.llm.answers import Gathered, whole
from opsmith.backends.llm.asking import drawing, spoken
from opsmith.backends.llm.server import Json, ModelServer
from opsmith.errors import BadAnswer
from opsmith.seams.llm import ANY_OBJECT, Completion, Pieces, Prompt

_DATA = b"data:"
_END = b"[DONE]"


class OpenAiModel:
    """Asks `/chat/completions` under an address such as `http://HOST:PORT/v1`.

    model: the name to ask for; empty for the first that the server lists.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        key: str = "",
    ) -> None:
        self._server = ModelServer(url, key=key)
        self._model = model

    async def complete(self, prompt: Prompt, *, within: timedelta) -> Completion:
        """See `seams.llm`."""
        return await whole(self.stream(prompt, within=within))

    async def stream(self, prompt: Prompt, *, within: timedelta) -> Pieces:
        """See `seams.llm`."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + within.total_seconds()
        model = prompt.model or await self._own()
        gathered = Gathered(model, clock=loop.time)
        lines = self._server.lines("chat/completions", _body(prompt, model), ends=ends)
        async with aclosing(lines):
            async for line in lines:
                if not line.startswith((_DATA, b"{")):
                    continue  # a comment, an event's name
                text = line.removeprefix(_DATA).strip()
                if text == _END:
                    continue  # to the end of the body, so that the connection can be used again
                if piece := self._take(self._server.json(text), gathered):
                    yield piece
        yield gathered.completion()

    async def models(self) -> tuple[str, ...]:
        """The names of `/models`, the configured one first."""
        told = (await self._server.read("models")).get("data")
        rows = told if isinstance(told, list) else []
        names = [str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id")]
        return tuple(dict.fromkeys([self._model, *names] if self._model else names))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()

    async def _own(self) -> str:
        if not self._model:
            names = await self.models()
            if not names:
                raise BadAnswer(f"{self._server.where} lists no model.")
            self._model = names[0]
        return self._model

    def _take(self, event: Json, gathered: Gathered) -> str:
        """What one event adds to the answer: a piece of text, the finish, or the counts."""
        if event.get("error"):
            raise BadAnswer(
                f"{self._server.where} broke off: {orjson.dumps(event['error'])[:200].decode()}."
            )
        usage, choices = event.get("usage"), event.get("choices")
        if isinstance(usage, dict):
            gathered.count(usage.get("prompt_tokens"), usage.get("completion_tokens"))
        first = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(first, dict):
            return ""
        gathered.finished(first.get("finish_reason"))
        said = first.get("delta") or first.get("message")
        text = said.get("content") if isinstance(said, dict) else None
        return gathered.add(text) if isinstance(text, str) else ""


def _body(prompt: Prompt, model: str) -> Json:
    body: dict[str, object] = {
        "model": model,
        "messages": spoken(prompt),
        "max_tokens": prompt.max_tokens,
        "temperature": prompt.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
        **drawing(prompt),
    }
    if prompt.schema == ANY_OBJECT:
        body["response_format"] = {"type": "json_object"}
    elif prompt.schema:
        schema = {"name": "answer", "strict": True, "schema": orjson.loads(prompt.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body
