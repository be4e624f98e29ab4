"""Language models: opened as backends, tried, put into use with or without an adapter, listed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from opsmith.errors import BadInput, NotFound, OpsmithError
from opsmith.seams.llm import LanguageModel, Prompt
from opsmith.settings import Settings
from opsmith.wiring.model_choice import OLLAMA_PORT, Choice, choice, keep, port_of

# Where GGUF files, models and adapters, are looked for beside the chosen one.
FOLDER = "models"
NO_ADAPTER = "none"
# Loading eight billion parameters from a slow disk, and one word.
TRIAL_WITHIN = timedelta(minutes=5)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")


async def use(settings: Settings, url: str, model: str, adapter: str) -> Choice:
    """Choose a model, or an adapter for the one that is chosen.

    url: empty for the chosen one. adapter: a path, or the name of one in the data folder, `none`
    or empty for none; it is tried before anything is kept.
    Raises `BadInput`, `NotFound`, `Unreachable` when the adapter does not load with the model.
    """
    chosen = _wanted(settings, url, model)
    if adapter and adapter != NO_ADAPTER:
        chosen = replace(chosen, adapter=str(_adapter_file(settings, adapter)))
        async with aclosing(opened(settings, chosen)) as backend:
            await loads(backend)
    else:
        opened(settings, chosen)
    keep(settings, chosen)
    return chosen


def _wanted(settings: Settings, url: str, model: str) -> Choice:
    if url:
        path = Path(url)
        return Choice(url=str(path.resolve()) if path.is_file() else url, model=model)
    now = choice(settings)
    if now is None:
        raise BadInput("No model is chosen that an adapter could go with.", hint="Give its path.")
    url = str(now.file.resolve()) if now.kind == "gguf" else now.url
    return Choice(url=url, model=model or now.model)


def _adapter_file(settings: Settings, text: str) -> Path:
    path = Path(text)
    if path.is_file():
        return path.resolve()
    named = settings.data_dir / FOLDER / f"{text}.gguf"
    if _NAME.fullmatch(text) and named.is_file():
        return named.resolve()
    raise NotFound(
        f"There is no adapter {text[:200]!r}.",
        hint=f"Give the path of a GGUF file, or put it into {settings.data_dir / FOLDER}.",
    )


async def loads(backend: LanguageModel) -> None:
    """Have a model say one word. Raises as the seam does."""
    await backend.complete(Prompt(text="Say yes.", max_tokens=1), within=TRIAL_WITHIN)


def opened(settings: Settings, chosen: Choice) -> LanguageModel:
    """The backend of a choice. Raises `BadInput` and `MissingExtra`; asks nothing yet."""
    key = settings.llm_key
    if chosen.kind == "gguf":
        from opsmith.backends.llm.embedded import LlamaModel

        return LlamaModel(
            chosen.file,
            context=settings.llm_context,
            at_once=places(settings, chosen),
            threads=settings.llm_threads,
            adapter=Path(chosen.adapter) if chosen.adapter else None,
        )
    if chosen.adapter:
        raise BadInput(
            "An adapter goes with a GGUF file on this machine.",
            hint="On a server it is a model of its own: give its name with --model.",
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
    files = tuple(path for path, kind in _files(settings) if not kind)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFile:
    """One adapter for the chosen model. fault: why it cannot serve, empty when it may."""

    name: str
    path: str
    active: bool
    size_bytes: int = 0
    fault: str = ""


def model_adapters(settings: Settings) -> tuple[AdapterFile, ...]:
    """The adapters of the data folder, and the one in use wherever it is."""
    chosen = choice(settings)
    active = chosen.adapter if chosen else ""
    paths = [str(path.resolve()) for path, kind in _files(settings) if kind]
    return tuple(
        _adapter(settings, chosen, path, active=path == active)
        for path in dict.fromkeys([*([active] if active else []), *paths])
    )


def _adapter(settings: Settings, chosen: Choice | None, path: str, *, active: bool) -> AdapterFile:
    shown = AdapterFile(name=Path(path).stem, path=path, active=active)
    try:
        size = Path(path).stat().st_size
        if chosen is None or chosen.kind != "gguf":
            fault = "no GGUF file is chosen that it could go with"
        else:
            opened(settings, replace(chosen, adapter=path))
            fault = ""
    except (OpsmithError, OSError) as error:
        return replace(shown, fault=str(error))
    return replace(shown, size_bytes=size, fault=fault)


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


def _files(settings: Settings) -> list[tuple[Path, str]]:
    """The GGUF files of the data folder, each with the kind of adapter that it is, if any."""
    from opsmith.backends.llm.gguf import head_of

    found = []
    for path in sorted((settings.data_dir / FOLDER).glob("*.gguf")):
        try:
            found.append((path, head_of(path).adapter))
        except BadInput:
            continue
    return found


def _over_http(url: str) -> str:
    """The HTTP address of an Ollama URL; its own port when none is given."""
    address = url.replace("ollama+https://", "https://", 1).replace("ollama://", "http://", 1)
    return address if port_of(address) else f"{address.rstrip('/')}:{OLLAMA_PORT}"
