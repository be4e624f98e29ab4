"""The gateway: prompts of many askers to one backend, each in its turn and within its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta

from opsmith.errors import BadAnswer, BadInput, OpsmithError, Overloaded, Unreachable
from opsmith.flows.infer.breaker import Breaker
from opsmith.flows.infer.schema import check_schema, fault_in, value_of
from opsmith.flows.infer.turns import Caller, Turns
from opsmith.nouns.message import Message, Speaker
from opsmith.nouns.redaction import redact
from opsmith.seams.llm import Completion, LanguageModel, Pieces, Prompt

LONGEST_PROMPT = 64_000
# A backend that says nothing for this long is held to be down, whatever the caller's deadline.
PATIENCE_S = 30.0
HOUSE = Caller(tenant="", principal="opsmith")


@dataclass(frozen=True, slots=True)
class Started:
    """A place was free and the prompt is on its way. queued_s: waited for it."""

    queued_s: float


Step = Started | str | Completion


class Gateway:
    """A `LanguageModel` before another one; what passes it is redacted, bounded and checked.

    places: prompts that the backend is given at once. clock: seconds that only grow.
    outcomes: how often prompts were `answered`, `left` by who asked, or ended with which error.
    """

    def __init__(
        self, backend: LanguageModel, *, name: str, places: int, clock: Callable[[], float]
    ) -> None:
        self._backend = backend
        self._clock = clock
        self.turns = Turns(places)
        self.breaker = Breaker(name, clock=clock)
        self.outcomes: Counter[str] = Counter()
        self.answer_tokens = 0

    async def complete(
        self, prompt: Prompt, *, within: timedelta, caller: Caller = HOUSE
    ) -> Completion:
        """The whole answer, which fits the schema. Raises as the seam does, and `TooMany`.

        An answer that does not fit is asked for once more, with what was wrong.
        """
        ends = self._clock() + within.total_seconds()
        try:
            return await self._whole(prompt, within, caller)
        except Misfit as misfit:
            left = timedelta(seconds=max(ends - self._clock(), 0.0))
            return await self._whole(_again(prompt, misfit), left, caller)

    async def stream(self, prompt: Prompt, *, within: timedelta, caller: Caller = HOUSE) -> Pieces:
        """The answer in pieces, and the whole once it is known to fit the schema."""
        async with aclosing(self.steps(prompt, within=within, caller=caller)) as steps:
            async for step in steps:
                if not isinstance(step, Started):
                    yield step

    async def steps(
        self, prompt: Prompt, *, within: timedelta, caller: Caller = HOUSE
    ) -> AsyncGenerator[Step, None]:
        """As `stream`, with the word that a place was free first."""
        outcome = "left"
        try:
            async with aclosing(self._steps(prompt, within, caller)) as steps:
                async for step in steps:
                    if isinstance(step, Completion):
                        outcome = "answered"
                        self.answer_tokens += step.answer_tokens
                    yield step
        except OpsmithError as error:
            outcome = type(error).__name__
            raise
        finally:
            self.outcomes[outcome] += 1

    async def models(self) -> tuple[str, ...]:
        """The names of the backend's models."""
        return await self._backend.models()

    async def aclose(self) -> None:
        """Let go of the backend."""
        await self._backend.aclose()

    async def _whole(self, prompt: Prompt, within: timedelta, caller: Caller) -> Completion:
        async with aclosing(self.steps(prompt, within=within, caller=caller)) as steps:
            async for step in steps:
                if isinstance(step, Completion):
                    return step
        raise BadAnswer("The answer was cut off.")

    async def _steps(
        self, prompt: Prompt, within: timedelta, caller: Caller
    ) -> AsyncGenerator[Step, None]:
        sent = _sendable(prompt)
        self.breaker.check()
        began, within_s = self._clock(), within.total_seconds()
        async with self.turns.place(caller, within_s=within_s):
            self.breaker.check()
            queued_s = self._clock() - began
            yield Started(queued_s)
            left = timedelta(seconds=max(within_s - queued_s, 0.0))
            async with aclosing(self._watched(sent, left)) as pieces:
                async for piece in pieces:
                    yield _checked(piece, sent) if isinstance(piece, Completion) else piece

    async def _watched(self, prompt: Prompt, within: timedelta) -> Pieces:
        """The backend's answer; the breaker hears what becomes of it."""
        probe = self.breaker.enter()
        asked, heard, judged = self._clock(), False, False
        try:
            stream = self._backend.stream(prompt, within=within)
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    heard = True
                    if probe or isinstance(piece, Completion):
                        judged = True
                        self.breaker.succeeded()
                    yield piece
        except OpsmithError as error:
            judged = True
            waited_s = self._clock() - asked
            in_time = waited_s < within.total_seconds()
            if in_time or (not heard and waited_s >= PATIENCE_S):
                self._judge(error, probe=probe)
            else:  # the caller's own haste
                self.breaker.left(probe=probe)
            raise
        finally:
            if not judged:
                self.breaker.left(probe=probe)

    def _judge(self, error: OpsmithError, *, probe: bool) -> None:
        if isinstance(error, Overloaded):
            self.breaker.left(probe=probe)
        elif isinstance(error, Unreachable | BadAnswer):
            self.breaker.failed()
        else:
            self.breaker.succeeded()


class Misfit(BadAnswer):
    """The answer does not fit the schema that was asked for."""

    def __init__(self, fault: str, *, said: str) -> None:
        self.said = said
        self.advice = f"That was refused: {fault}. Answer again, with JSON only."
        super().__init__(
            f"The model's answer does not fit the schema: {fault}.",
            hint="A larger model or a simpler schema may do.",
        )


def _sendable(prompt: Prompt) -> Prompt:
    """The prompt without secrets. Raises `BadInput` for one that no model should see."""
    if not prompt.text.strip():
        raise BadInput("The prompt is empty.")
    if sum(len(one.text) for one in prompt.messages) > LONGEST_PROMPT:
        raise BadInput(f"The prompt is longer than {LONGEST_PROMPT} characters.")
    if prompt.schema:
        check_schema(prompt.schema)
    before = tuple(replace(one, text=redact(one.text)) for one in prompt.before)
    return replace(prompt, text=redact(prompt.text), before=before)


def _again(prompt: Prompt, misfit: Misfit) -> Prompt:
    """The prompt, going on after the answer that did not fit, as much of it as there is room."""
    room = LONGEST_PROMPT - sum(len(one.text) for one in prompt.messages) - len(misfit.advice)
    said = Message(speaker=Speaker.ASSISTANT, text=misfit.said[: max(room, 0)])
    return replace(prompt, before=(*prompt.messages, said), text=misfit.advice)


def _checked(completion: Completion, prompt: Prompt) -> Completion:
    if not prompt.schema:
        return completion
    text = value_of(completion.text)
    fault = fault_in(text, prompt.schema)
    if not fault:
        return replace(completion, text=text)
    if completion.finish == "length":
        raise BadAnswer(
            f"The answer did not end within {prompt.max_tokens} tokens, so it fits no schema.",
            hint="Raise max_tokens.",
        )
    raise Misfit(fault, said=completion.text)
