"""The language model seam: a prompt in, text out; nothing it says is believed unchecked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from opsmith.nouns.message import Message, Speaker

# The schema of an answer that is a JSON object, whatever is in it.
ANY_OBJECT = '{"type": "object"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is asked; secrets are redacted by who makes it.

    text: what the user asks now. before: what was said until then, oldest first.
    schema: JSON Schema text that the answer must fit, empty for free text.
    max_tokens: of the answer. temperature: 0 for the likeliest words.
    top_p: the share of probability that words are drawn from, above 0 to 1.
    stop: texts before which the answer ends. seed: of the draw, None for any.
    model: its name at the backend, empty for the one that is configured.
    """

    text: str
    before: tuple[Message, ...] = ()
    schema: str = ""
    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    model: str = ""

    @property
    def messages(self) -> tuple[Message, ...]:
        """Everything said, what is asked now last."""
        return (*self.before, Message(speaker=Speaker.USER, text=self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model answered. finish: `stop` or `length`; tokens as the backend counts them.

    first_s, total_s: seconds from the question to the first and to the last word, as they came
    over the wire; 0 when nobody looked.
    """

    text: str
    model: str
    finish: str
    prompt_tokens: int
    answer_tokens: int
    first_s: float = 0.0
    total_s: float = 0.0


# An answer as it comes: text piece by piece, and last of all the whole.
Pieces = AsyncGenerator[str | Completion, None]


class LanguageModel(Protocol):
    """Completes prompts, one at a time or many at once.

    Raises `Unreachable` when the backend does not answer by the deadline, `Overloaded` when it
    has too much to do, `BadAnswer` when the answer is none or is cut, `BadInput` when the backend
    rejects the prompt, `NotFound` when it has no such model.
    A caller that goes away stops the work.
    """

    async def complete(self, prompt: Prompt, *, within: timedelta) -> Completion:
        """The whole answer."""

    def stream(self, prompt: Prompt, *, within: timedelta) -> Pieces:
        """The answer piece by piece as text, and last of all the whole."""

    async def models(self) -> tuple[str, ...]:
        """The names that `Prompt.model` may have; the first answers when it is empty."""

    async def aclose(self) -> None:
        """Let go of the backend; one that was started here is stopped."""
