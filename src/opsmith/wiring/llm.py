"""The language model: settings and the chosen model become a gateway that everybody asks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic

from opsmith.errors import AskError, BadInput, OpsmithError
from opsmith.flows.infer.gateway import LONGEST_PROMPT, Gateway, Started
from opsmith.flows.infer.turns import Caller
from opsmith.nouns.message import Message
from opsmith.nouns.redaction import redact, redact_name
from opsmith.nouns.session import Principal
from opsmith.seams.llm import ANY_OBJECT, Completion, LanguageModel, Pieces, Prompt
from opsmith.settings import Settings
from opsmith.wiring.model_choice import ADDRESSES, Choice, choice
from opsmith.wiring.models import loads, opened, places
from opsmith.wiring.own_metrics import ModelMetrics

__all__ = ["ANY_OBJECT", "LONGEST_PROMPT"]


class NoModel(AskError):
    """No language model is set."""

    exit_code = 1
    http_status = 501


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A prompt with how it is to be answered; the fields of `seams.llm.Prompt`, and the time.

    schema: JSON Schema as text, empty for free text. timeout_s: None for the setting.
    """

    prompt: str
    before: tuple[Message, ...] = ()
    schema: str = ""
    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    model: str = ""
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of an answer. kind: start, token or done; the body is JSON."""

    kind: str
    body: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSwap:
    """What another choice led to.

    served: the address asked from now on, adapter: before its weights, empty for none.
    refused: why the choice does not serve, empty when it does.
    """

    served: str
    adapter: str
    refused: str = ""


# A choice with what its files on this machine were when it was made: (bytes, changed at).
_Seen = tuple[Choice, tuple[tuple[int, int], ...]]


class Inference:
    """Answers prompts for the faces; opens the gateway with the first one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gateway: Gateway | None = None
        self._served: _Seen | None = None
        self._tried: _Seen | None = None
        self._fault = ""

    def gateway(self) -> Gateway:
        """The gateway. Raises `NoModel` when no model is chosen."""
        if self._gateway is None:
            chosen = choice(self._settings)
            if chosen is None:
                raise NoModel(hint=f"Set OPSMITH_LLM_URL, or `opsmith model use` {ADDRESSES}.")
            self._gateway = Gateway(
                opened(self._settings, chosen),
                name=redact_name(chosen.url),
                places=places(self._settings, chosen),
                clock=monotonic,
            )
            self._served = self._tried = _seen(chosen)
        return self._gateway

    async def look(self) -> ModelSwap | None:
        """Take up another choice of model or adapter; None when there is none.

        A file is loaded and asked for a word beside what serves. Prompts that run end where they
        began; a choice that cannot serve is refused once, and what serves goes on.
        """
        gateway, served = self._gateway, self._served
        if gateway is None or served is None:
            return None
        try:
            chosen = choice(self._settings)
            seen = _seen(chosen) if chosen else served
        except BadInput as error:
            known, self._fault = self._fault, str(error)
            return None if known == self._fault else _swapped(served[0], refused=self._fault)
        self._fault = ""
        if chosen is None or seen in (self._tried, served):
            self._tried = seen
            return None
        self._tried = seen
        try:
            backend = await self._loaded(chosen)
        except OpsmithError as error:
            return _swapped(served[0], refused=str(error))
        self._served = seen
        name, at_once = redact_name(chosen.url), places(self._settings, chosen)
        await gateway.swap(backend, name=name, places=at_once)
        return _swapped(chosen)

    async def _loaded(self, chosen: Choice) -> LanguageModel:
        """The backend of a choice; a file is tried, a server is not asked for anything yet."""
        backend = opened(self._settings, chosen)
        if chosen.kind == "gguf":
            try:
                await loads(backend)
            except BaseException:
                await backend.aclose()
                raise
        return backend

    async def complete(self, prompt: Prompt, *, within: timedelta) -> Completion:
        """See `seams.llm`; for what the house itself asks. Raises `NoModel` too."""
        return await self.gateway().complete(prompt, within=within)

    async def stream(self, prompt: Prompt, *, within: timedelta) -> Pieces:
        """See `seams.llm`."""
        async with aclosing(self.gateway().stream(prompt, within=within)) as pieces:
            async for piece in pieces:
                yield piece

    async def models(self) -> tuple[str, ...]:
        """See `seams.llm`."""
        return await self.gateway().models()

    async def infer(self, asked: Asked, *, principal: Principal) -> dict[str, object]:
        """The whole answer as JSON. Raises as the seam does, `TooMany` and `NoModel`."""
        completion = await self.gateway().complete(
            _prompt(asked), within=self._within(asked), caller=_caller(principal)
        )
        return _body(completion, asked)

    async def events(self, asked: Asked, *, principal: Principal) -> AsyncGenerator[Told, None]:
        """The answer event by event; raises as `infer` does, also in between."""
        steps = self.gateway().steps(
            _prompt(asked), within=self._within(asked), caller=_caller(principal)
        )
        async with aclosing(steps):
            async for step in steps:
                if isinstance(step, str):
                    yield Told(kind="token", body={"text": step})
                elif isinstance(step, Started):
                    yield Told(kind="start", body={"queued_s": round(step.queued_s, 4)})
                else:
                    yield Told(kind="done", body=_body(step, asked))

    def count(self, own: ModelMetrics) -> None:
        """Put what was asked so far into the numbers of the house."""
        if self._gateway is None:
            return
        for outcome, number in self._gateway.outcomes.items():
            own.prompts.labels(outcome).set(number)
        own.tokens.set(self._gateway.answer_tokens)
        own.running.set(self._gateway.turns.running)
        own.waiting.set(self._gateway.turns.waiting)
        own.left_alone.set(self._gateway.breaker.state == "open")

    async def aclose(self) -> None:
        """Let go of the backend."""
        if self._gateway is not None:
            await self._gateway.aclose()

    def _within(self, asked: Asked) -> timedelta:
        return timedelta(seconds=asked.timeout_s or self._settings.llm_timeout_s)


@asynccontextmanager
async def inference(settings: Settings, *, needed: bool) -> AsyncIterator[Inference | None]:
    """Who answers prompts, opened with the first; None when no model is chosen.

    Raises `NoModel` in that case where one is needed.
    """
    if not needed and choice(settings) is None:
        yield None
        return
    found = Inference(settings)
    if needed:
        found.gateway()
    async with aclosing(found):
        yield found


def _seen(chosen: Choice) -> _Seen:
    return chosen, tuple(map(_version, chosen.files))


def _version(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_size, found.st_mtime_ns)


def _swapped(serving: Choice, *, refused: str = "") -> ModelSwap:
    return ModelSwap(served=redact_name(serving.url), adapter=serving.adapter, refused=refused)


def _prompt(asked: Asked) -> Prompt:
    return Prompt(
        text=asked.prompt,
        before=asked.before,
        schema=asked.schema,
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        stop=asked.stop,
        seed=asked.seed,
        model=asked.model,
    )


def _caller(principal: Principal) -> Caller:
    return Caller(principal.tenant, principal.name)


def _body(completion: Completion, asked: Asked) -> dict[str, object]:
    """The one form of an answer, whatever the backend."""
    return {
        "text": completion.text,
        **({"value": json.loads(completion.text)} if asked.schema else {}),
        "model": completion.model,
        "finish_reason": completion.finish,
        "usage": {
            "prompt_tokens": completion.prompt_tokens,
            "answer_tokens": completion.answer_tokens,
        },
        "timings": {
            "first_s": round(completion.first_s, 4),
            "total_s": round(completion.total_s, 4),
        },
        "redacted": any(redact(one.text) != one.text for one in _prompt(asked).messages),
    }


async def tried(settings: Settings) -> Completion:
    """One small prompt with a schema, through the gateway. Raises as the seam does."""
    inference = Inference(settings)
    async with aclosing(inference):
        within = timedelta(seconds=settings.llm_timeout_s)
        prompt = Prompt(text=_TRIAL, schema=json.dumps(_TRIAL_SCHEMA), max_tokens=64)
        return await inference.gateway().complete(prompt, within=within)


_TRIAL = (
    "The service checkout answers 9 of 10 requests with an error."
    ' Say in JSON which service it is and whether it is healthy: {"service": …, "healthy": …}.'
)
_TRIAL_SCHEMA = {
    "type": "object",
    "properties": {
        "service": {"type": "string", "maxLength": 40},
        "healthy": {"type": "boolean"},
    },
    "required": ["service", "healthy"],
    "additionalProperties": False,
}
