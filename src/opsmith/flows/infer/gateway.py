"""The gateway: prompts of many askers to one backend, each in its turn and within its time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
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
        self._clock = clock
        self._behind = _Behind(backend, Breaker(name, clock=clock))
        self._leaving: dict[asyncio.Task[None], LanguageModel] = {}
        self.turns = Turns(places)
        self.outcomes: Counter[str] = Counter()
        self.answer_tokens = 0

    @property
    def breaker(self) -> Breaker:
        """Of the backend that is asked now."""
        return self._behind.breaker

    async def swap(self, backend: LanguageModel, *, name: str, places: int) -> None:
        """Ask another backend from now on; the one before ends what it has begun, then goes."""
        before = self._behind
        self._behind = _Behind(backend, Breaker(name, clock=self._clock))
        self.turns.resize(places)
        leaving = asyncio.create_task(before.leave())
        self._leaving[leaving] = before.backend
        leaving.add_done_callback(lambda done: self._leaving.pop(done, None))

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
            again = _again(prompt, misfit)
            if again is None:
                raise
            left = timedelta(seconds=max(ends - self._clock(), 0.0))
            return await self._whole(again, left, caller)

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
        return await self._behind.backend.models()

    async def aclose(self) -> None:
        """Let go of the backend, and of those before it whatever they still do."""
        leaving = dict(self._leaving)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        for backend in (self._behind.backend, *leaving.values()):
            await backend.aclose()

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
        behind = self._behind
        breaker = behind.breaker
        probe = breaker.enter()
        asked, heard, judged = self._clock(), False, False
        try:
            async with behind.asked(prompt, within) as pieces:
                async for piece in pieces:
                    heard = True
                    if probe or isinstance(piece, Completion):
                        judged = True
                        breaker.succeeded()
                    yield piece
        except OpsmithError as error:
            judged = True
            waited_s = self._clock() - asked
            in_time = waited_s < within.total_seconds()
            if in_time or (not heard and waited_s >= PATIENCE_S):
                _judge(error, breaker, probe=probe)
            else:  # the caller's own haste
                breaker.left(probe=probe)
            raise
        finally:
            if not judged:
                breaker.left(probe=probe)


class _Behind:
    """One backend with its breaker, and how many prompts it works on."""

    def __init__(self, backend: LanguageModel, breaker: Breaker) -> None:
        self.backend = backend
        self.breaker = breaker
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def asked(self, prompt: Prompt, within: timedelta) -> AsyncIterator[Pieces]:
        """Its answer to a prompt; leaving stops the work."""
        self._running += 1
        self._idle.clear()
        try:
            async with aclosing(self.backend.stream(prompt, within=within)) as pieces:
                yield pieces
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def leave(self) -> None:
        """Let go of it once it has nothing to do."""
        await self._idle.wait()
        await self.backend.aclose()


def _judge(error: OpsmithError, breaker: Breaker, *, probe: bool) -> None:
    if isinstance(error, Overloaded):
        breaker.left(probe=probe)
    elif isinstance(error, Unreachable | BadAnswer):
        breaker.failed()
    else:
        breaker.succeeded()


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


def _again(prompt: Prompt, misfit: Misfit) -> Prompt | None:
    """The prompt, going on after as much of the misfit as there is room for; None for none."""
    room = LONGEST_PROMPT - sum(len(one.text) for one in prompt.messages) - len(misfit.advice)
    if room <= 0:
        return None
    said = Message(speaker=Speaker.ASSISTANT, text=misfit.said[:room])
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
