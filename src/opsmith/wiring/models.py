"""Which language model is asked: chosen by an address, opened as a backend, listed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from opsmith.errors import BadInput, OpsmithError
from opsmith.nouns.redaction import redact, redact_name
from opsmith.seams.llm import LanguageModel
from opsmith.settings import Settings

CHOICE = "model.json"
# Where GGUF files are looked for beside the chosen one.
FOLDER = "models"
OLLAMA_PORT = 11434
ADDRESSES = "ollama://HOST:PORT, http://HOST:PORT/v1 or the path of a GGUF file"


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
        raise BadInput(f"{redact(self.url[:200])!r} is no model.", hint=f"Give {ADDRESSES}.")


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
            at_once=places(settings, chosen),
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


def places(settings: Settings, chosen: Choice) -> int:
    """Prompts at once: each needs a context of its own, and a file has this machine alone."""
    return settings.llm_at_once or (1 if chosen.kind == "gguf" else 4)


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
    """A small question to the chosen model's server, by the name of the model; no prompt."""

    async def ask() -> None:
        chosen = choice(settings)
        if chosen is not None:
            async with aclosing(opened(settings, chosen)) as backend:
                await backend.models()

    try:
        chosen = choice(settings)
    except BadInput:
        return {"model": ask}  # which then says what is wrong
    if chosen is None:
        return {}
    parts = urlsplit(chosen.url)
    place = parts.netloc.rpartition("@")[2] or Path(parts.path).stem
    return {f"model {chosen.model or place}": ask}


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError as error:
        raise BadInput(f"{redact(url[:200])!r} has no usable port.") from error


def _over_http(url: str) -> str:
    """The HTTP address of an Ollama URL; its own port when none is given."""
    address = url.replace("ollama+https://", "https://", 1).replace("ollama://", "http://", 1)
    return address if _port(address) else f"{address.rstrip('/')}:{OLLAMA_PORT}"
