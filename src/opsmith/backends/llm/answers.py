"""Gathering an answer from its pieces, whatever form they came in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from opsmith.errors import BadAnswer
from opsmith.seams.llm import Completion, Pieces

# A model that goes round in circles is stopped by its token limit long before.
LONGEST_ANSWER = 1_000_000


class Gathered:
    """The pieces of one answer. clock: seconds; the question was asked when this is made."""

    def __init__(self, model: str, *, clock: Callable[[], float]) -> None:
        self._model = model
        self._clock = clock
        self._asked = clock()
        self._first = 0.0
        self._pieces: list[str] = []
        self._length = 0
        self._finish = ""
        self._prompt_tokens = 0
        self._answer_tokens = 0

    def add(self, text: str) -> str:
        """Take a piece, which may be empty; gives it back."""
        if text:
            if not self._pieces:
                self._first = self._clock() - self._asked
            self._pieces.append(text)
            self._length += len(text)
            if self._length > LONGEST_ANSWER:
                raise BadAnswer(f"The model said more than {LONGEST_ANSWER} characters.")
        return text

    def finished(self, reason: object) -> None:
        """Note why the answer ends, where the server says so."""
        if isinstance(reason, str) and reason:
            self._finish = "length" if reason == "length" else "stop"

    def count(self, prompt_tokens: object, answer_tokens: object) -> None:
        """Note what the server counted, where it did."""
        if isinstance(prompt_tokens, int):
            self._prompt_tokens = prompt_tokens
        if isinstance(answer_tokens, int):
            self._answer_tokens = answer_tokens

    def completion(self) -> Completion:
        """The whole. Raises `BadAnswer` when the server never said that this is the end."""
        if not self._finish:
            raise BadAnswer(f"The answer was cut off after {self._length} characters.")
        return Completion(
            text="".join(self._pieces),
            model=self._model,
            finish=self._finish,
            prompt_tokens=self._prompt_tokens,
            answer_tokens=self._answer_tokens or len(self._pieces),
            first_s=self._first,
            total_s=self._clock() - self._asked,
        )


async def whole(stream: Pieces) -> Completion:
    """The last of a stream. Raises `BadAnswer` when there is none."""
    async with aclosing(stream):
        async for step in stream:
            if isinstance(step, Completion):
                return step
    raise BadAnswer("The answer was cut off.")
