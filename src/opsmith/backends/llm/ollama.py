"""Ollama: `/api/chat` with the schema as `format`, the context as `num_ctx`, JSON line by line."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

import orjson

from opsmith.backends.llm.answers import Gathered, whole
from opsmith.backends.llm.asking import drawing, spoken
from opsmith.backends.llm.server import Json, ModelServer
from opsmith.errors import BadAnswer, BadInput, NotFound
from opsmith.nouns.redaction import redact
from opsmith.seams.llm import Completion, Pieces, Prompt

DEFAULT_MODEL = "llama3:8b"
# Tokens a character is taken to cost: a careful guess, not measured on Llama 3's tokenizer.
# Byte-pair tokenizers need about one for four ASCII characters and about one for a Chinese one.
_TOKENS_ASCII = 1 / 3
_TOKENS_OTHER = 1.5


class OllamaModel:
    """Asks an Ollama server.

    context: tokens of prompt and answer together (`num_ctx`). A longer prompt would be cut by
        Ollama without a word, so it is refused here.
    keep_alive: how long Ollama keeps the model in memory, in its own form ("10m", "-1").
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = DEFAULT_MODEL,
        key: str = "",
        context: int,
        keep_alive: str,
    ) -> None:
        self._server = ModelServer(url, key=key)
        self._model = model
        self._context = context
        self._keep_alive = keep_alive

    async def complete(self, prompt: Prompt, *, within: timedelta) -> Completion:
        """See `seams.llm`."""
        return await whole(self.stream(prompt, within=within))

    async def stream(self, prompt: Prompt, *, within: timedelta) -> Pieces:
        """See `seams.llm`."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + within.total_seconds()
        model = prompt.model or self._model
        self._fits(prompt)
        gathered = Gathered(model, clock=loop.time)
        lines = self._server.lines("api/chat", self._body(prompt, model), ends=ends)
        async with aclosing(lines):
            try:
                async for line in lines:
                    if piece := self._take(self._server.json(line), gathered):
                        yield piece
            except NotFound as error:
                raise NotFound(str(error), hint=f"Try `ollama pull {model}`.") from error
        yield gathered.completion()

    async def models(self) -> tuple[str, ...]:
        """The names of `/api/tags`, the configured one first."""
        told = (await self._server.read("api/tags")).get("models")
        rows = told if isinstance(told, list) else []
        names = [str(row["name"]) for row in rows if isinstance(row, dict) and row.get("name")]
        return tuple(dict.fromkeys([self._model, *names]))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()

    def _fits(self, prompt: Prompt) -> None:
        said = "".join(one.text for one in prompt.messages)
        ascii_only = sum(character.isascii() for character in said)
        others = len(said) - ascii_only
        tokens = int(ascii_only * _TOKENS_ASCII + others * _TOKENS_OTHER) + prompt.max_tokens
        if tokens > self._context:
            raise BadInput(
                f"Prompt and answer may take {tokens} tokens; the context holds {self._context}.",
                hint="Shorten the prompt, lower max_tokens, or set OPSMITH_LLM_CONTEXT.",
            )

    def _body(self, prompt: Prompt, model: str) -> Json:
        body: dict[str, object] = {
            "model": model,
            "messages": spoken(prompt),
            "stream": True,
            "keep_alive": self._keep_alive,
            "options": {
                "num_ctx": self._context,
                "num_predict": prompt.max_tokens,
                "temperature": prompt.temperature,
                **drawing(prompt),
            },
        }
        if prompt.schema:
            body["format"] = orjson.loads(prompt.schema)
        return body

    def _take(self, event: Json, gathered: Gathered) -> str:
        """What one line adds to the answer."""
        if event.get("error"):
            raise BadAnswer(
                f"{self._server.where} broke off: {redact(str(event['error']))[:200]}."
            )
        if event.get("done") is True:
            gathered.finished(event.get("done_reason") or "stop")
            gathered.count(event.get("prompt_eval_count"), event.get("eval_count"))
        said = event.get("message")
        text = said.get("content") if isinstance(said, dict) else None
        return gathered.add(text) if isinstance(text, str) else ""
