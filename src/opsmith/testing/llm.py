"""A language model that says what it was told to, and keeps the prompts that it was given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from opsmith.errors import Unreachable
from opsmith.seams.llm import Completion, Prompt


class ScriptedModel:
    """Answers in the order of the script; `None` in it, or its end, is a model that is away."""

    def __init__(self, script: Sequence[str | None]) -> None:
        self._script = list(script)
        self.prompts: list[Prompt] = []

    async def complete(self, prompt: Prompt, *, within: timedelta) -> Completion:
        self.prompts.append(prompt)
        said = self._script.pop(0) if self._script else None
        if said is None:
            raise Unreachable(f"The model did not answer within {within}.")
        return Completion(
            text=said,
            model=prompt.model or "scripted",
            finish="stop",
            prompt_tokens=len(prompt.text.split()),
            answer_tokens=len(said.split()),
        )

    async def stream(
        self, prompt: Prompt, *, within: timedelta
    ) -> AsyncIterator[str | Completion]:
        whole = await self.complete(prompt, within=within)
        for word in whole.text.split():
            yield f"{word} "
        yield whole
