"""The language model: settings and the chosen model become a gateway that everybody asks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from opsmith.errors import AskError, BadInput, OpsmithError
from opsmith.flows.infer.gateway import LONGEST_PROMPT, Gateway, Started
from opsmith.flows.infer.turns import Caller
from opsmith.nouns.redaction import redact, redact_name
from opsmith.nouns.session import Principal
from opsmith.seams.llm import Completion, LanguageModel, Prompt
from opsmith.settings import Settings

__all__ = ["LONGEST_PROMPT"]

CHOICE = "model.json"
# Where GGUF files are looked for beside the chosen one.
FOLDER = "models"
OLLAMA_PORT = 11434
_SCHEMES = "ollama://HOST:PORT, http://HOST:PORT/v1 or the path of a GGUF file"


class NoModel(AskError):
    """No language model is set."""

    exit_code = 1
    http_status = 501


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which model is asked. url: as in `OPSMITH_LLM_URL`; model: its name there, or empty."""

    url: str
    model: str = ""

    @property
    def kind(self) -> str:
        """`ollama`, `openai` or `gguf`. Raises `BadInput` for what is none of them."""
        parts, port = urlsplit(self.url), _port(self.url)
        if parts.scheme in {"ollama", "ollama+https"} and parts.hostname:
            return "ollama"
        if parts.scheme in {"http", "https"} and parts.hostname:
            bare = parts.path in {"", "/"}
            return "ollama" if bare and port == OLLAMA_PORT else "openai"
        if parts.scheme in {"", "file"} and parts.path:
            return "gguf"
        raise BadInput(f"{redact(self.url[:200])!r} is no model.", hint=f"Give {_SCHEMES}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A prompt with how it is to be answered; the fields of `seams.llm.Prompt`, and the time.

    schema: JSON Schema as text, empty for free text. timeout_s: None for the setting.
    """

    prompt: str
    schema: str = ""
    max_tokens: int = 512
    temperature: float = 0.0
    model: str = ""
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of an answer. kind: start, token or done; the body is JSON."""

    kind: str
    body: dict[str, object]


def choice(settings: Settings) -> Choice | None:
    """Which model is chosen, by the environment or else by `use`; None for none."""
    if settings.llm_url:
        return Choice(url=settings.llm_url, model=settings.llm_model)
    try:
        told = json.loads((settings.data_dir / CHOICE).read_text(encoding="utf-8"))
        return Choice(url=str(told["url"]), model=settings.llm_model or str(told["model"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{settings.data_dir / CHOICE} cannot be read.", hint="Run `opsmith model use`."
        ) from error


def use(settings: Settings, url: str, model: str) -> Choice:
    """Choose a model for the times when the environment names none; it is not asked yet."""
    path = Path(url)
    chosen = Choice(url=str(path.resolve()) if path.is_file() else url, model=model)
    if redact_name(chosen.url) != chosen.url:
        raise BadInput("The address holds a password.", hint="Put the key in OPSMITH_LLM_KEY.")
    opened(settings, chosen)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    target = settings.data_dir / CHOICE
    fresh = target.with_suffix(".new")
    fresh.write_text(json.dumps({"url": chosen.url, "model": chosen.model}), encoding="utf-8")
    fresh.replace(target)
    return chosen


def opened(settings: Settings, chosen: Choice) -> LanguageModel:
    """The backend of a choice. Raises `BadInput` and `MissingExtra`; asks nothing yet."""
    key = settings.llm_key
    if chosen.kind == "gguf":
        from opsmith.backends.llm.embedded import LlamaModel

        return LlamaModel(
            Path(urlsplit(chosen.url).path if chosen.url.startswith("file:") else chosen.url),
            context=settings.llm_context,
            at_once=_places(settings, chosen),
            threads=settings.llm_threads,
        )
    if chosen.kind == "ollama":
        from opsmith.backends.llm.ollama import DEFAULT_MODEL, OllamaModel

        return OllamaModel(
            _over_http(chosen.url),
            model=chosen.model or DEFAULT_MODEL,
            key=key,
            context=settings.llm_context,
            keep_alive=settings.llm_keep_alive,
        )
    from opsmith.backends.llm.openai import OpenAiModel

    return OpenAiModel(chosen.url, model=chosen.model, key=key)


def open_gateway(settings: Settings) -> Gateway | None:
    """The gateway to the chosen model, None when none is chosen. Close it when done."""
    chosen = choice(settings)
    if chosen is None:
        return None
    backend = opened(settings, chosen)
    name = redact_name(chosen.url)
    places = _places(settings, chosen)
    return Gateway(backend, name=name, places=places, clock=monotonic)


class Inference:
    """Answers prompts for the faces; opens the gateway with the first one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gateway: Gateway | None = None

    def gateway(self) -> Gateway:
        """The gateway. Raises `NoModel` when no model is chosen."""
        if self._gateway is None:
            self._gateway = open_gateway(self._settings)
        if self._gateway is None:
            raise NoModel(hint=f"Set OPSMITH_LLM_URL, or `opsmith model use` {_SCHEMES}.")
        return self._gateway

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

    async def aclose(self) -> None:
        """Let go of the backend."""
        if self._gateway is not None:
            await self._gateway.aclose()

    def _within(self, asked: Asked) -> timedelta:
        return timedelta(seconds=asked.timeout_s or self._settings.llm_timeout_s)


def _prompt(asked: Asked) -> Prompt:
    return Prompt(
        text=asked.prompt,
        schema=asked.schema,
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
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
        "redacted": redact(asked.prompt) != asked.prompt,
    }


def _places(settings: Settings, chosen: Choice) -> int:
    """Prompts at once: each needs a context of its own, and a file has this machine alone."""
    return settings.llm_at_once or (1 if chosen.kind == "gguf" else 4)


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError as error:
        raise BadInput(f"{redact(url[:200])!r} has no usable port.") from error


def _over_http(url: str) -> str:
    """The HTTP address of an Ollama URL; its own port when none is given."""
    address = url.replace("ollama+https://", "https://", 1).replace("ollama://", "http://", 1)
    return address if _port(address) else f"{address.rstrip('/')}:{OLLAMA_PORT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What there is to choose from. files: GGUF files of the data folder."""

    chosen: Choice | None
    names: tuple[str, ...]
    files: tuple[Path, ...]
    fault: str = ""


async def listed(settings: Settings) -> Listed:
    """The chosen model with what its server offers, and the files beside it."""
    files = tuple(sorted((settings.data_dir / FOLDER).glob("*.gguf")))
    chosen = choice(settings)
    if chosen is None:
        return Listed(chosen=None, names=(), files=files)
    names: tuple[str, ...] = ()
    fault = ""
    try:
        async with aclosing(opened(settings, chosen)) as backend:
            names = await backend.models()
    except OpsmithError as error:
        fault = str(error)
    return Listed(chosen=chosen, names=names, files=files, fault=fault)


def probes(settings: Settings) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """A small question to the chosen model's server, by the name of the model; none is asked."""
    chosen = choice(settings)
    if chosen is None:
        return {}

    async def ask() -> None:
        async with aclosing(opened(settings, chosen)) as backend:
            await backend.models()

    return {f"model {chosen.model}".strip(): ask}


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
