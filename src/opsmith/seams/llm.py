"""The language model seam: a prompt in, text out; nothing it says is believed unchecked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is asked; secrets are redacted by who makes it.

    schema: JSON Schema text that the answer must fit, empty for free text.
    max_tokens: of the answer. temperature: 0 for the likeliest words.
    model: its name at the backend, empty for the one that is configured.
    """

    text: str
    schema: str = ""
    max_tokens: int = 512
    temperature: float = 0.0
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model answered. finish: `stop`, `length` or `cancelled`; tokens as it counts them."""

    text: str
    model: str
    finish: str
    prompt_tokens: int
    answer_tokens: int


class LanguageModel(Protocol):
    """Completes prompts, one at a time or many at once.

    Raises `Unreachable` when the backend does not answer by the deadline or is overloaded,
    `BadAnswer` when the answer does not fit the schema or is none, `BadInput` when the backend
    rejects the prompt. A caller that goes away stops the work.
    """

    async def complete(self, prompt: Prompt, *, within: timedelta) -> Completion:
        """The whole answer."""

    def stream(self, prompt: Prompt, *, within: timedelta) -> AsyncIterator[str | Completion]:
        """The answer piece by piece as text, and last of all the whole."""
