"""Language models: a scripted double, and the promises that every backend keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

from opsmith.errors import Unreachable
from opsmith.nouns.message import Message, Speaker
from opsmith.seams.llm import Completion, LanguageModel, Pieces, Prompt

LONG = timedelta(minutes=5)


class ScriptedModel:
    """Answers in the order of the script; `None` in it, or its end, is a model that is away."""

    def __init__(self, script: Sequence[str | None]) -> None:
        self._script = list(script)
        self.prompts: list[Prompt] = []

    async def complete(self, prompt: Prompt, *, within: timedelta) -> Completion:
        self.prompts.append(prompt)
        said = self._script.pop(0) if self._script and within > timedelta(0) else None
        if said is None:
            raise Unreachable(f"The model did not answer within {within}.")
        for stop in prompt.stop:
            said = said.partition(stop)[0]
        words = said.split(" ")
        return Completion(
            text=" ".join(words[: prompt.max_tokens]),
            model=prompt.model or "scripted",
            finish="length" if len(words) > prompt.max_tokens else "stop",
            prompt_tokens=sum(len(one.text.split()) for one in prompt.messages),
            answer_tokens=min(len(words), prompt.max_tokens),
        )

    async def stream(self, prompt: Prompt, *, within: timedelta) -> Pieces:
        whole = await self.complete(prompt, within=within)
        first, *others = whole.text.split(" ")
        yield first
        for word in others:
            yield f" {word}"
        yield whole

    async def models(self) -> tuple[str, ...]:
        return ("scripted",)

    async def aclose(self) -> None:
        pass


QUESTION = Prompt(text="Is the service healthy? Answer in one sentence.", max_tokens=24)
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"healthy": {"type": "boolean"}},
        "required": ["healthy"],
        "additionalProperties": False,
    }
)
# What a scripted model may say to keep every promise.
SAYS = '{"healthy": true}'


async def check_a_prompt_is_completed(model: LanguageModel) -> None:
    found = await model.complete(QUESTION, within=LONG)

    assert found.text
    assert found.model
    assert found.finish in {"stop", "length"}
    assert found.prompt_tokens > 0
    assert 0 < found.answer_tokens <= QUESTION.max_tokens


async def check_the_pieces_of_a_stream_are_the_whole(model: LanguageModel) -> None:
    steps = [step async for step in model.stream(QUESTION, within=LONG)]

    *pieces, whole = steps
    assert isinstance(whole, Completion)
    assert "".join(str(piece) for piece in pieces) == whole.text
    assert len(pieces) > 1


async def check_an_answer_fits_its_schema(model: LanguageModel) -> None:
    found = await model.complete(replace(QUESTION, schema=SCHEMA), within=LONG)

    assert isinstance(json.loads(found.text)["healthy"], bool)


async def check_an_answer_ends_at_its_token_limit(model: LanguageModel) -> None:
    found = await model.complete(replace(QUESTION, max_tokens=1), within=LONG)

    assert found.finish == "length"


async def check_what_was_said_before_is_read(model: LanguageModel) -> None:
    before = (
        Message(speaker=Speaker.SYSTEM, text="You look after a web shop."),
        Message(speaker=Speaker.USER, text="Every request to the cart fails."),
        Message(speaker=Speaker.ASSISTANT, text="Then it is not healthy."),
    )
    alone = await model.complete(replace(QUESTION, max_tokens=1), within=LONG)
    after = await model.complete(replace(QUESTION, max_tokens=1, before=before), within=LONG)

    assert after.prompt_tokens > alone.prompt_tokens


async def check_an_answer_ends_before_a_stop_text(model: LanguageModel) -> None:
    found = await model.complete(replace(QUESTION, stop=(" ",)), within=LONG)

    assert " " not in found.text
    assert found.finish == "stop"


async def check_a_deadline_is_kept(model: LanguageModel) -> None:
    try:
        await model.complete(QUESTION, within=timedelta(0))
    except Unreachable:
        return
    raise AssertionError("a deadline that had passed was not kept")


async def check_who_leaves_early_holds_up_nobody(model: LanguageModel) -> None:
    async with aclosing(model.stream(replace(QUESTION, max_tokens=400), within=LONG)) as pieces:
        await anext(pieces)

    assert (await model.complete(QUESTION, within=LONG)).text


async def check_models_are_listed(model: LanguageModel) -> None:
    assert all(await model.models())


CHECKS = (
    check_a_prompt_is_completed,
    check_the_pieces_of_a_stream_are_the_whole,
    check_an_answer_fits_its_schema,
    check_an_answer_ends_at_its_token_limit,
    check_what_was_said_before_is_read,
    check_an_answer_ends_before_a_stop_text,
    check_a_deadline_is_kept,
    check_who_leaves_early_holds_up_nobody,
    check_models_are_listed,
)
