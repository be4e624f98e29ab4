"""llama.cpp on this machine: a GGUF file served by a process of our own, asked over loopback.

A process, so that neither a crash nor a long prompt of the engine holds up the house, and so
that a caller who hangs up stops the work. It starts with the first prompt.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import orjson

from opsmith.backends.llm.answers import whole
from opsmith.backends.llm.gguf import head_of
from opsmith.backends.llm.openai import OpenAiModel
from opsmith.errors import (
    BadInput,
    MissingExtra,
    NotFound,
    OpsmithError,
    Overloaded,
    Unreachable,
)
from opsmith.seams.llm import Completion, Pieces, Prompt

MODULE = "opsmith.backends.llm.llama_process"
# A model of 8 billion parameters is read from a slow disk in about a minute.
START_S = 180.0
STOP_S = 5.0


class LlamaModel:
    """Serves one GGUF file. Close it when done: that stops the process.

    context: tokens of prompt and answer together, for each prompt that runs.
    at_once: prompts that run at the same time. threads: of the processor; with more of them
        than free cores llama.cpp slows down many times over, so 1 is a safe choice.
    adapter: a LoRA adapter in GGUF that stands before the weights; answers name it.
    Raises `BadInput` for a file that is no GGUF, an adapter for another architecture, and
    `MissingExtra` without the extra `llm`.
    """

    def __init__(
        self,
        path: Path,
        *,
        context: int,
        at_once: int,
        threads: int,
        adapter: Path | None = None,
    ) -> None:
        if find_spec("xllamacpp") is None:
            raise MissingExtra(
                "A model in this process needs llama.cpp, which is not installed:"
                " pip install 'opsmith[llm]'"
            )
        _check(path, adapter)
        self._bare = path.stem
        self.name = path.stem if adapter is None else f"{path.stem}+{adapter.stem}"
        self._wanted = {
            "path": str(path.resolve()),
            "adapter": "" if adapter is None else str(adapter.resolve()),
            "name": self.name,
            "context": context * at_once,
            "at_once": at_once,
            "threads": threads,
        }
        self._process: Process | None = None
        self._loading: asyncio.Task[OpenAiModel] | None = None

    @property
    def pid(self) -> int | None:
        """The process that serves, None while there is none."""
        return self._process.pid if self._process and self._lives() else None

    async def complete(self, prompt: Prompt, *, within: timedelta) -> Completion:
        """See `seams.llm`."""
        return await whole(self.stream(prompt, within=within))

    async def stream(self, prompt: Prompt, *, within: timedelta) -> Pieces:
        """See `seams.llm`; the first prompt also waits for the model to load."""
        if prompt.model not in ("", self.name, self._bare):
            raise NotFound(f"There is no model {prompt.model!r} here, only {self.name!r}.")
        began = asyncio.get_running_loop().time()
        asked = await self._serving(within)
        left = within - timedelta(seconds=asyncio.get_running_loop().time() - began)
        async with aclosing(asked.stream(replace(prompt, model=""), within=left)) as pieces:
            async for piece in pieces:
                yield piece

    async def models(self) -> tuple[str, ...]:
        """The one name that there is."""
        return (self.name,)

    async def aclose(self) -> None:
        """Stop the process."""
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()
            with suppress(asyncio.CancelledError, OpsmithError):
                await (await loading).aclose()
        if self._process is not None:
            await _stop(self._process)

    async def _serving(self, within: timedelta) -> OpenAiModel:
        """What serves, started when nothing does; loading goes on when this asker gives up."""
        if self._loading is None or (self._loading.done() and not self._lives()):
            await self.aclose()
            self._loading = asyncio.create_task(self._start())
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await asyncio.shield(self._loading)
        except TimeoutError as error:
            raise Overloaded(f"{self.name} is still being loaded.", retry_after_s=5.0) from error

    def _lives(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _start(self) -> OpenAiModel:
        """Start the process and wait until it says where it listens."""
        key = secrets.token_urlsafe(24)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULE, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        self._process = process
        if process.stdin is None or process.stdout is None:
            raise AssertionError  # both were asked for
        process.stdin.write(orjson.dumps(self._wanted | {"key": key}) + b"\n")
        line = b""
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(START_S):
                await process.stdin.drain()
                line = await process.stdout.readline()
        where = line.decode(errors="replace").strip()
        if not where.startswith("http://127.0.0.1:"):
            await _stop(process)
            raise Unreachable(
                f"llama.cpp cannot load {self.name} ({where[:200] or 'it stopped'}).",
                hint="Is the file whole, is there memory enough, was the adapter made for it?",
            )
        return OpenAiModel(f"{where}/v1", model=self.name, key=key)


async def _stop(process: Process) -> None:
    """End the process: closing its input asks it to leave; a deaf one is killed."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _check(path: Path, adapter: Path | None) -> None:
    """Raises `BadInput` for files that cannot go together."""
    model = head_of(path)
    if model.adapter:
        raise BadInput(f"{path}: is an adapter, no model.", hint="Give it with --adapter.")
    if adapter is None:
        return
    head = head_of(adapter)
    if head.adapter != "lora":
        raise BadInput(f"{adapter}: is no LoRA adapter but {head.adapter or 'a whole model'}.")
    if head.architecture != model.architecture:
        raise BadInput(
            f"{adapter}: is for models of the kind {head.architecture!r},"
            f" {path.name} is {model.architecture!r}."
        )
