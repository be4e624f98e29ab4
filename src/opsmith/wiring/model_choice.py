"""Which language model is chosen: an address, a name there, an adapter; and what was before."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from opsmith.errors import BadInput, Conflict, Unreachable
from opsmith.nouns.redaction import redact, redact_name
from opsmith.settings import Settings

CHOICE = "model.json"
OLLAMA_PORT = 11434
ADDRESSES = "ollama://HOST:PORT, http://HOST:PORT/v1 or the path of a GGUF file"
# Choices that can be gone back to.
_REMEMBERED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which model is asked.

    url: as in `OPSMITH_LLM_URL`; model: its name there, or empty.
    adapter: path of a LoRA adapter before the weights of a GGUF file, empty for none.
    """

    url: str
    model: str = ""
    adapter: str = ""

    @property
    def kind(self) -> str:
        """`ollama`, `openai` or `gguf`. Raises `BadInput` for what is none of them."""
        parts, port = urlsplit(self.url), port_of(self.url)
        if parts.scheme in {"ollama", "ollama+https"} and parts.hostname:
            return "ollama"
        if parts.scheme in {"http", "https"} and parts.hostname:
            bare = parts.path in {"", "/"}
            return "ollama" if bare and port == OLLAMA_PORT else "openai"
        if parts.scheme in {"", "file"} and parts.path:
            return "gguf"
        raise BadInput(f"{redact(self.url[:200])!r} is no model.", hint=f"Give {ADDRESSES}.")

    @property
    def file(self) -> Path:
        """Of a GGUF model, where it is."""
        return Path(urlsplit(self.url).path if self.url.startswith("file:") else self.url)

    @property
    def files(self) -> tuple[Path, ...]:
        """What of it lies on this machine."""
        if self.kind != "gguf":
            return ()
        return (self.file, *([Path(self.adapter)] if self.adapter else []))


def choice(settings: Settings) -> Choice | None:
    """Which model is chosen, by the environment or else by `use`; None for none.

    An adapter is chosen by `use` alone, and goes with the file that it was chosen for.
    """
    kept = _kept(settings)
    stored = kept[0] if kept else None
    if not settings.llm_url:
        if stored is None or not settings.llm_model:
            return stored
        return Choice(url=stored.url, model=settings.llm_model, adapter=stored.adapter)
    named = Choice(url=settings.llm_url, model=settings.llm_model)
    if stored and stored.adapter and named.kind == "gguf" and _same_file(named, stored):
        return Choice(url=named.url, model=named.model, adapter=stored.adapter)
    return named


def keep(settings: Settings, chosen: Choice) -> None:
    """Choose from now on. Raises `BadInput` for an address that holds a password."""
    if redact_name(chosen.url) != chosen.url:
        raise BadInput("The address holds a password.", hint="Put the key in OPSMITH_LLM_KEY.")
    try:
        before = [one for one in _kept(settings) if one != chosen]
    except BadInput:
        before = []  # a file that nobody can read is written anew
    _write(settings, [chosen, *before])


def back(settings: Settings) -> Choice:
    """Go back to what was chosen before. Raises `Conflict` when there was nothing."""
    kept = _kept(settings)
    if len(kept) < 2:  # noqa: PLR2004 - this one and another
        raise Conflict("There is no model to go back to.")
    _write(settings, kept[1:])
    return kept[1]


def port_of(url: str) -> int | None:
    """The port in an address. Raises `BadInput` for what cannot be one."""
    try:
        return urlsplit(url).port
    except ValueError as error:
        raise BadInput(f"{redact(url[:200])!r} has no usable port.") from error


def _same_file(one: Choice, other: Choice) -> bool:
    return one.file.resolve() == other.file.resolve()


def _kept(settings: Settings) -> list[Choice]:
    """What was chosen, the newest first."""
    path = settings.data_dir / CHOICE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return [_read(told), *map(_read, told.get("before", []))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} cannot be read.", hint="Run `opsmith model use`.") from error


def _read(row: dict[str, object]) -> Choice:
    return Choice(
        url=str(row["url"]), model=str(row["model"]), adapter=str(row.get("adapter", ""))
    )


def _write(settings: Settings, kept: list[Choice]) -> None:
    newest, *before = [asdict(one) for one in kept[:_REMEMBERED]]
    target = settings.data_dir / CHOICE
    fresh = target.with_suffix(".new")
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({**newest, "before": before}), encoding="utf-8")
        fresh.replace(target)
    except OSError as error:
        raise Unreachable(f"{target} cannot be written.") from error
